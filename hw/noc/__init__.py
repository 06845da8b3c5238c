"""The networks on chip: links, routers and endpoints."""
