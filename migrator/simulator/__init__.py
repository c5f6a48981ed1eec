"""The stand-in cloud. It shares error codes with the product and nothing else, least of all its mistakes."""
