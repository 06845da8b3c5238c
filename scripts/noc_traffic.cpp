// Synthetic traffic on a mesh of Verilated tiles (router and endpoint), wired here.
//
// Every output of a tile towards its neighbours is a register, so the tiles may be evaluated one
// after the other: each cycle all inputs are set from the neighbours' outputs, then all are clocked.
//
// Latency is averaged over the packets created in a window of `measure` cycles. A run ends as soon as
// the average cannot stay at or below `latency_limit` any more (0: no limit): a saturated network is
// not simulated to the end.
//
// Arguments: k packet_flits pattern rate warmup measure latency_limit seed.
// Output, one line: latency accepted hops delivered created saturated.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "Vtile.h"
#include "verilated.h"

double sc_time_stamp() { return 0; }

// Verilator writes the double underscore of a port's name as "___05F".

namespace {

enum Side { North, East, South, West };

struct Packet {
    int destination;
    long created;
    int sent;
    uint32_t number;
};

struct Link {  // one direction, the sender's and the receiver's ports
    uint8_t valid = 0, parity = 0, channel = 0, credit = 0;
    uint64_t flit = 0;
};

struct Tile {
    std::unique_ptr<VerilatedContext> context = std::make_unique<VerilatedContext>();
    std::unique_ptr<Vtile> model;
    std::deque<Packet> queue;
    Tile() : model(std::make_unique<Vtile>(context.get())) {}
    void receive(int side, const Link& link) {
        switch (side) {
#define RECEIVE(number, name)                       \
    case number:                                    \
        model->name##_in___05Fvalid = link.valid;       \
        model->name##_in___05Fflit = link.flit;         \
        model->name##_in___05Fparity = link.parity;     \
        model->name##_in___05Fchannel = link.channel;   \
        model->name##_out___05Fcredit = link.credit;    \
        break;
            RECEIVE(North, north) RECEIVE(East, east) RECEIVE(South, south) RECEIVE(West, west)
        }
    }
    Link send(int side) const {
        switch (side) {
#define SEND(number, name)                                                                  \
    case number:                                                                            \
        return {model->name##_out___05Fvalid, model->name##_out___05Fparity, model->name##_out___05Fchannel, \
                model->name##_in___05Fcredit, model->name##_out___05Fflit};
            SEND(North, north) SEND(East, east) SEND(South, south)
            default: SEND(West, west)
        }
    }
};

int destination_of(const std::string& pattern, int source, int k, std::mt19937_64& random) {
    const int x = source % k, y = source / k, nodes = k * k;
    const int shift = (k + 1) / 2 - 1;
    if (pattern == "uniform") return static_cast<int>(random() % nodes);
    if (pattern == "transpose") return y + x * k;
    if (pattern == "bitcomp") return nodes - 1 - source;
    if (pattern == "neighbor") return (x + 1) % k + (y + 1) % k * k;
    if (pattern == "tornado") return (x + shift) % k + (y + shift) % k * k;
    std::fprintf(stderr, "unknown pattern %s\n", pattern.c_str());
    std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 9) {
        std::fprintf(stderr, "usage: k packet_flits pattern rate warmup measure latency_limit seed\n");
        return 2;
    }
    const int k = std::atoi(argv[1]), flits = std::atoi(argv[2]);
    const std::string pattern = argv[3];
    const double rate = std::atof(argv[4]);
    const long warmup = std::atol(argv[5]), measure = std::atol(argv[6]);
    const double latency_limit = std::atof(argv[7]);
    std::mt19937_64 random(std::strtoull(argv[8], nullptr, 10));
    std::bernoulli_distribution creates(rate / flits);
    const int nodes = k * k;
    std::vector<Tile> tiles(nodes);
    std::vector<Link> links(nodes * 4);
    std::vector<long> created_at;
    for (int node = 0; node < nodes; ++node) {
        Vtile& model = *tiles[node].model;
        model.x = node % k;
        model.y = node / k;
        model.eject___05Fready = 1;
        model.rst = 0;
        model.clk = 0;
        model.eval();
    }
    long pending = 0, delivered = 0, created = 0, accepted = 0;
    double latency = 0, hops = 0, creation = 0;  // creation: sum over the pending packets' cycles
    long cycle = 0;
    bool saturated = false;
    const double expected = rate / flits * nodes * double(measure) * 1.02;
    for (;; ++cycle) {
        const bool window = cycle >= warmup && cycle < warmup + measure;
        if (cycle >= warmup + measure && pending == 0) break;
        if (latency_limit > 0 && cycle % 64 == 0 && created) {
            const double least = latency + double(pending) * double(cycle) - creation;
            if (least > latency_limit * (window ? expected : double(created))) {
                saturated = true;
                break;
            }
        }
        for (int node = 0; node < nodes; ++node)
            for (int side = 0; side < 4; ++side) links[node * 4 + side] = tiles[node].send(side);
        for (int node = 0; node < nodes; ++node) {
            Tile& tile = tiles[node];
            Vtile& model = *tile.model;
            const int x = node % k, y = node / k;
            if (y > 0) tile.receive(North, links[(node - k) * 4 + South]);
            if (x < k - 1) tile.receive(East, links[(node + 1) * 4 + West]);
            if (y < k - 1) tile.receive(South, links[(node + k) * 4 + North]);
            if (x > 0) tile.receive(West, links[(node - 1) * 4 + East]);
            if (creates(random)) {
                const int to = destination_of(pattern, node, k, random);
                tile.queue.push_back({to, cycle, 0, static_cast<uint32_t>(created_at.size())});
                created_at.push_back(window ? cycle : -1);
                if (window) {
                    ++pending;
                    ++created;
                    creation += double(cycle);
                    hops += std::abs(to % k - x) + std::abs(to / k - y) + 1;
                }
            }
            model.inject___05Fvalid = !tile.queue.empty();
            if (!tile.queue.empty()) {
                const Packet& packet = tile.queue.front();
                const uint64_t head = packet.sent == 0, tail = packet.sent == flits - 1;
                const uint64_t to = packet.destination % k | packet.destination / k << 5;
                const uint64_t payload = (head ? to : 0) | uint64_t(packet.number) << 11;
                model.inject___05Fpayload = payload | head << 40 | tail << 41;
            }
            model.clk = 0;
            model.eval();
            if (model.inject___05Fvalid && model.inject___05Fready) {
                if (++tile.queue.front().sent == flits) tile.queue.pop_front();
            }
            if (model.eject___05Fvalid) {
                if (window) ++accepted;
                const uint64_t flit = model.eject___05Fpayload;
                const uint32_t number = static_cast<uint32_t>(flit >> 11 & 0x1fffffff);
                if (flit >> 41 & 1 && created_at[number] >= 0) {
                    latency += static_cast<double>(cycle - created_at[number]);
                    creation -= double(created_at[number]);
                    ++delivered;
                    --pending;
                }
            }
        }
        for (Tile& tile : tiles) {
            tile.model->clk = 1;
            tile.model->eval();
        }
    }
    std::printf("%.4f %.5f %.4f %ld %ld %d\n", delivered ? latency / delivered : 0.0,
                double(accepted) / measure / nodes, created ? hops / created : 0.0, delivered,
                created, saturated);
    return 0;
}
