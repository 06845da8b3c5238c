// Multicast's destinations, and over which links the copies for a node go: those that a packet for
// that node alone would take, along x and then along y (section 10 of the specification).
#pragma once
#include <cstdint>

constexpr int RectangleBits = 21;

using NodeSet = uint64_t;  // bit x + y * columns; the host's is the one after the last cluster's

struct Rectangle {
    uint8_t x = 0, y = 0, x_last = 0, y_last = 0;
    bool host = false;

    uint64_t code() const { return x | y << 5 | host << 10 | x_last << 11 | y_last << 16; }

    NodeSet nodes(int columns, int clusters) const {
        NodeSet set = 0;
        if (host) return NodeSet(1) << clusters;
        for (int row = y; row <= y_last; ++row)
            for (int column = x; column <= x_last; ++column)
                set |= NodeSet(1) << (row * columns + column);
        return set;
    }
};

// Whether the way from a node to another goes over the link that leaves ``at`` by ``side`` (north 0,
// east 1, south 2, west 3). The host is west of cluster 0; its own link into the mesh is none of these.
inline bool leads_over(int source, int destination, int at, int side, int columns, int clusters) {
    const bool to_host = destination == clusters;
    int here = source == clusters ? 0 : source;
    const int there = to_host ? 0 : destination;
    while (true) {
        const int dx = there % columns - here % columns, dy = there / columns - here / columns;
        const int way = dx > 0 ? 1 : dx < 0 ? 3 : dy > 0 ? 2 : dy < 0 ? 0 : to_host ? 3 : 4;
        if (here == at && way == side) return true;
        if (here == there) return false;
        here += way == 1 ? 1 : way == 3 ? -1 : way == 2 ? columns : -columns;
    }
}
