"""Where a chip is cut into parts: chosen by measurement, see docs/simulation.md."""

CUTS = (
    "ClusterInterconnect",
    "ControlBlockUnit",
    "EventCounts",
    "HostBridge",
    "LinkWatch",
    "MemoryBank",
    "NetworkEndpoint",
    "Router",
    # of the Task Block Unit
    "ContextLoader",
    "DescriptorFetcher",
    "DispatchQueue",
    "InputDma",
    "InputStream",
    "MemoryMultiplexer",
    "OutputDma",
    "OutputStream",
    "ProcessingElement",
    "Runner",
    "Sequencer",
    "StreamConfigurator",
    "UnitCounters",
    "WindowAllocator",
)
"""Classes of blocks."""
