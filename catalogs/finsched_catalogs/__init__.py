"""The bundled market: data only. See SOURCES.md for where each row comes from."""
