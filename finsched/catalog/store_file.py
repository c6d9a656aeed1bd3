"""Where the live prices of a user are kept, for those who write them and those who only look."""

STORE_FILE = "prices.sqlite"
