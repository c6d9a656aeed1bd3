"""Where each region lies: a continent code, the country, and whether that is in the European Union.

The area is geography alone: `eu` holds London, Zurich and Oslo too. Membership of the Union is the
column `in_eu`, and what a residency of `eu` asks for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

COLUMNS = ("provider", "region", "area", "country", "in_eu", "source")
AREAS = {  # continent codes of countries; the United States and Canada stand for themselves
    "us": "US",
    "ca": "CA",
    "eu": "AT BE CH DE DK ES FI FR GB IE IT NL NO PL SE",
    "ap": "AU HK ID IN JP KR MY NZ SG TH TW",
    "cn": "CN",
    "sa": "BR CL MX",
    "me": "AE BH IL QA SA",
    "af": "ZA",
}
# the 27 member states since 2020-02-01
EU_MEMBERS = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
MULTI_REGIONS = (  # Cloud Storage's; the one named eu lies in member states
    ("gcp", "us", "us", "US", False),
    ("gcp", "eu", "eu", "", True),
    ("gcp", "asia", "ap", "", False),
)
COUNTRIES = {
    "aws": """
        af-south-1:ZA ap-east-1:HK ap-northeast-1:JP ap-northeast-2:KR ap-northeast-3:JP
        ap-south-1:IN ap-southeast-1:SG ap-southeast-2:AU ap-southeast-3:ID ap-southeast-5:MY
        ca-central-1:CA cn-north-1:CN cn-northwest-1:CN eu-central-1:DE eu-central-2:CH
        eu-north-1:SE eu-south-1:IT eu-south-2:ES eu-west-1:IE eu-west-2:GB eu-west-3:FR
        il-central-1:IL me-central-1:AE me-south-1:BH sa-east-1:BR us-east-1:US us-east-2:US
        us-gov-east-1:US us-gov-west-1:US us-west-1:US us-west-2:US
        ap-east-2:TW ap-south-2:IN ap-southeast-4:AU ap-southeast-6:NZ ap-southeast-7:TH
        ca-west-1:CA mx-central-1:MX""",
    "azure": """
        australiacentral:AU australiacentral2:AU australiaeast:AU australiasoutheast:AU
        belgiumcentral:BE brazilsouth:BR canadacentral:CA canadaeast:CA centralindia:IN
        centralus:US eastasia:HK eastus:US eastus2:US eastus3:US francecentral:FR francesouth:FR
        germanywestcentral:DE japaneast:JP japanwest:JP koreacentral:KR koreasouth:KR
        northcentralus:US northeurope:IE norwayeast:NO qatarcentral:QA southafricanorth:ZA
        southafricawest:ZA southcentralus:US southeastasia:SG southindia:IN swedencentral:SE
        switzerlandnorth:CH uaenorth:AE uksouth:GB ukwest:GB westcentralus:US westeurope:NL
        westindia:IN westus:US westus2:US westus3:US austriaeast:AT brazilsoutheast:BR
        chilecentral:CL chinaeast:CN chinaeast2:CN chinaeast3:CN chinanorth:CN chinanorth2:CN
        chinanorth3:CN denmarkeast:DK germanynorth:DE indonesiacentral:ID israelcentral:IL
        italynorth:IT jioindiacentral:IN jioindiawest:IN malaysiawest:MY mexicocentral:MX
        newzealandnorth:NZ norwaywest:NO polandcentral:PL spaincentral:ES swedensouth:SE
        switzerlandwest:CH uaecentral:AE usgovarizona:US usgovtexas:US usgovvirginia:US""",
    "gcp": """
        africa-south1:ZA asia-east1:TW asia-east2:HK asia-northeast1:JP asia-northeast2:JP
        asia-northeast3:KR asia-south1:IN asia-south2:IN asia-southeast1:SG asia-southeast2:ID
        australia-southeast1:AU australia-southeast2:AU europe-central2:PL europe-north1:FI
        europe-north2:SE europe-southwest1:ES europe-west1:BE europe-west10:DE europe-west12:IT
        europe-west2:GB europe-west3:DE europe-west4:NL europe-west6:CH europe-west8:IT
        europe-west9:FR me-central1:QA me-central2:SA me-west1:IL northamerica-northeast1:CA
        northamerica-northeast2:CA northamerica-south1:MX southamerica-east1:BR
        southamerica-west1:CL us-central1:US us-central2:US us-east1:US us-east2:US us-east4:US
        us-east5:US us-south1:US us-west1:US us-west2:US us-west3:US us-west4:US""",
    "lambda": """
        asia-northeast-1:JP asia-northeast-2:JP asia-south-1:IN australia-east-1:AU
        europe-central-1:DE europe-south-1:IT me-west-1:IL us-east-1:US us-east-2:US us-east-3:US
        us-midwest-1:US us-south-1:US us-south-2:US us-south-3:US us-west-1:US us-west-2:US
        us-west-3:US""",
    "aws-sagemaker": "ap-south-1:IN us-east-1:US",
    "nebius": "eu-north1:FI eu-west1:FR us-central1:US",
    "coreweave": "LAS1:US LGA1:US ORD1:US",
    "ovh": "bhs:CA gra:FR",
}


class PlaceRow(NamedTuple):
    """One region of one provider."""

    provider: str
    region: str
    area: str
    country: str
    in_eu: bool
    source: str


def geography() -> list[PlaceRow]:
    """Every region known here."""
    area_of = {country: area for area, listed in AREAS.items() for country in listed.split()}
    members = frozenset(EU_MEMBERS.split())
    regions = [
        PlaceRow(provider, region, area_of[country], country, country in members, "vendor")
        for provider, text in COUNTRIES.items()
        for region, country in (place.split(":") for place in text.split())
    ]
    return regions + [PlaceRow(*place, source="vendor") for place in MULTI_REGIONS]


def missing(places: Iterable[PlaceRow], used: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Regions that are used somewhere but not placed; "*" is everywhere and needs no place."""
    known = {(place.provider, place.region) for place in places}
    return {key for key in used if key[1] not in ("*", "same-region") and key not in known}
