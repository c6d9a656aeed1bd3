"""What commands print: documents for machines, tables and sentences for people."""
