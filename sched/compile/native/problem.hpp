// A search's task as the compiler hands it over: a lowered graph and an array, in flat arrays.
#pragma once

#include <cstdint>
#include <vector>

namespace octopus {

enum Role { COMPUTE = 0, LOAD = 1, STORE = 2 };
enum Side { NORTH = 0, EAST = 1, SOUTH = 2, WEST = 3, REGISTER = 4 };

constexpr int OPPOSITE[4] = {SOUTH, WEST, NORTH, EAST};
constexpr float NEVER = 1e9f;
constexpr int PREDICATE = -1;

struct Node {
    int role, latency, operands;
    bool commutative;  // its operands may change places
    bool guarded;      // acts in some iterations only: its value never goes through a register
    bool exact;        // must act in no iteration but the real ones
    int kind;          // stream words of equal kind may share a port
    int pair;          // node whose port a computed access shares, -1: none
    bool parts;        // of a scatter: the data, whose word comes after the offset's
    int group;         // which PEs can do it
    std::vector<int> in, out;  // edges
};

// An operand: `consumer` takes the value that `producer` made `distance` iterations before.
struct Edge {
    int producer, consumer, operand, distance, net;
};

// `second` is done at least `cycles` after the `first` of `distance` iterations before.
struct Order {
    int first, second, cycles, distance;
};

// All uses of a value at one distance share routes.
struct Net {
    int producer, distance;
    std::vector<int> edges;
};

struct Problem {
    int rows, columns, interval, window, registers, copy_latency, places, ports;
    bool strict;       // nothing may be done after the stages that can be told apart
    bool strict_ends;  // and nothing may leave after them
    bool lenient;      // instructions that need not be exact may share a slot with any stage
    bool split;        // a word may enter through several ports
    std::vector<Node> nodes;
    std::vector<Edge> edges;
    std::vector<Order> orders;
    std::vector<Net> nets;
    std::vector<uint8_t> able;  // by group and place

    // In the order in which `native_search.py` writes them.
    explicit Problem(const int32_t* data);

    int slot(int time) const { return ((time % interval) + interval) % interval; }
    int row(int place) const { return place / columns; }
    int column(int place) const { return place % columns; }
    int neighbour(int place, int side) const {
        int r = row(place), c = column(place);
        switch (side) {
            case NORTH: return r > 0 ? place - columns : -1;
            case SOUTH: return r + 1 < rows ? place + columns : -1;
            case WEST: return c > 0 ? place - 1 : -1;
            default: return c + 1 < columns ? place + 1 : -1;
        }
    }
    int port_place(int port) const { return port < rows ? port * columns : port - rows; }
    int port_side(int port) const { return port < rows ? WEST : NORTH; }
    int stage(int time) const {
        int natural = time / interval;
        return natural < window ? natural : window - 1;
    }
    int far(int a, int b) const {
        int down = row(a) - row(b), right = column(a) - column(b);
        return (down < 0 ? -down : down) + (right < 0 ? -right : right);
    }
};

inline Problem::Problem(const int32_t* data) {
    auto next = [&data]() { return *data++; };
    rows = next(), columns = next(), interval = next(), window = next();
    registers = next(), copy_latency = next();
    strict = next(), strict_ends = next(), lenient = next(), split = next();
    places = rows * columns, ports = rows + columns;
    int count = next();
    for (int i = 0; i < count; i++) {
        Node node;
        node.role = next(), node.latency = next(), node.operands = next();
        node.commutative = next(), node.guarded = next(), node.exact = next();
        node.kind = next(), node.pair = next(), node.parts = next(), node.group = next();
        nodes.push_back(node);
    }
    count = next();
    for (int i = 0; i < count; i++) {
        Edge edge{};
        edge.producer = next(), edge.consumer = next();
        edge.operand = next(), edge.distance = next();
        edge.net = -1;
        if (edge.operand != PREDICATE) {
            for (size_t net = 0; net < nets.size(); net++)
                if (nets[net].producer == edge.producer && nets[net].distance == edge.distance)
                    edge.net = static_cast<int>(net);
            if (edge.net < 0) {
                edge.net = static_cast<int>(nets.size());
                nets.push_back({edge.producer, edge.distance, {}});
            }
            nets[edge.net].edges.push_back(i);
        }
        nodes[edge.producer].out.push_back(i);
        nodes[edge.consumer].in.push_back(i);
        edges.push_back(edge);
    }
    count = next();
    for (int i = 0; i < count; i++) {
        Order order{};
        order.first = next(), order.second = next(), order.cycles = next(), order.distance = next();
        orders.push_back(order);
    }
    count = next() * places;
    for (int i = 0; i < count; i++) able.push_back(static_cast<uint8_t>(next()));
}

}  // namespace octopus
