// Soak test of a mesh of Verilated tiles (router, endpoint, links) and the host's endpoint.
//
// Random packets under random back-pressure, with a scoreboard: every packet arrives exactly once,
// whole, unchanged, where it should, and (if ordered) in order within its source, destination and
// class. Every flit's bits are a function of its packet's number and its place. A packet of class 1
// is the answer to one of class 0, which is taken only if there is room for the answer: a network
// whose classes wait for each other would lock up. On every link the flits in the receiver's buffer
// are counted by its credits.
//
// Faults: a bit flipped on a link must be reported by the receiving router in the next cycle, and no
// flit else, and counted there once; a packet hit must not arrive whole, all others must. A packet
// to a node that does not exist must be reported by its endpoint and arrive nowhere. After the
// faults the mesh must be as new.
//
// Multicast (MULTICAST set): a flit is for a rectangle of nodes. Each of them gets it once, and at each
// the flits of one source come in order, whatever their rectangles. A flipped bit costs exactly the
// copies of the nodes whose ways lead over that link (rectangle.h).
//
// Arguments: columns rows packets seed longest ordered flips unreachable
//   flips, unreachable: of a million link cycles, of a million packets.
// Output: lines "progress DELIVERED PACKETS CYCLES"; then "ok key=value ..." and exit code 0, or
//   "FAILED ..." and exit code 1.
#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "Vhost.h"
#include "Vtile.h"
#include "rectangle.h"
#include "verilated.h"

double sc_time_stamp() { return 0; }

// Verilator writes the double underscore of a port's name as "___05F".

namespace {

constexpr int Sides = 4, Endpoint = 5, Inputs = 6, North = 0, East = 1, South = 2, West = 3;
constexpr int PayloadBits = FLIT_BITS, FlitBits = FLIT_BITS + 2;
constexpr int DestinationBits = MULTICAST ? RectangleBits : 11, NumberBits = 24;
constexpr long StormCycles = 500, HangCycles = 100000;

using Bits = std::array<uint32_t, 3>;  // a flit: payload, head, tail

bool bit(const Bits& bits, int index) { return bits[index / 32] >> index % 32 & 1; }
void flip(Bits& bits, int index) { bits[index / 32] ^= 1u << index % 32; }
uint64_t field(const Bits& bits, int start, int count) {
    uint64_t value = 0;
    for (int i = 0; i < count; ++i) value |= uint64_t(bit(bits, start + i)) << i;
    return value;
}
bool parity_of(const Bits& bits) {
    return __builtin_parity(bits[0] ^ bits[1] ^ bits[2]);
}

void put(QData& port, const Bits& bits) { port = bits[0] | uint64_t(bits[1]) << 32; }
void put(IData& port, const Bits& bits) { port = bits[0]; }
template <std::size_t N>
void put(VlWide<N>& port, const Bits& bits) {
    for (std::size_t i = 0; i < N; ++i) port[i] = bits[i];
}
Bits get(const QData& port) { return {uint32_t(port), uint32_t(port >> 32), 0}; }
Bits get(const IData& port) { return {uint32_t(port), 0, 0}; }
template <std::size_t N>
Bits get(const VlWide<N>& port) {
    Bits bits{};
    for (std::size_t i = 0; i < N; ++i) bits[i] = port[i];
    return bits;
}

struct Wire {  // one direction of a link
    bool valid = false, parity = false;
    uint8_t channel = 0, credit = 0;  // credit: from the receiver
    Bits flit{};
};

struct Packet {
    uint8_t source, destination, message_class, length;
    uint32_t place_in_flow;
    bool hit, arrived, lost;  // lost: it has no destination
    Rectangle to;             // with multicast; then ``destination`` is its first node
    NodeSet owed;             // nodes whose copies have neither come nor been hit
};

struct Stream {  // a node's streams of one class
    std::deque<uint32_t> queue;
    int sent = 0;          // flits of the first packet
    long open = -1;        // the packet that is being received
    int received = 0;      // its flits
    double inject = 1, eject = 1;
    bool offered = false, ready = false;
};

long now = 0;

[[noreturn]] void fail(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::printf("FAILED in cycle %ld: ", now);
    std::vprintf(format, arguments);
    std::printf("\n");
    std::exit(1);
}

uint64_t mixed(uint64_t value) {  // a bijection that spreads every bit
    value ^= value >> 31;
    value *= 0x7fb5d329728ea185;
    value ^= value >> 27;
    value *= 0x81dadef4bc2dd44d;
    return value ^ value >> 33;
}

class Soak {
  public:
    Soak(int columns, int rows, uint64_t seed, int longest, bool ordered)
        : columns(columns), rows(rows), nodes(columns * rows), longest(longest), ordered(ordered),
          random(seed), tiles(nodes), streams((nodes + 1) * CLASSES), wires(nodes * Sides),
          expected_reports(nodes), expected_counts(nodes), outstanding(nodes * Sides * CHANNELS),
          everybody{0, 0, uint8_t(columns - 1), uint8_t(rows - 1)},
          latest((nodes + 1) * (nodes + 1)), next_in_flow((nodes + 1) * (nodes + 1) * CLASSES), seen_in_flow(next_in_flow.size()) {
        for (int node = 0; node < nodes; ++node) {
            tiles[node] = std::make_unique<Vtile>(&context);
            tiles[node]->x = node % columns;
            tiles[node]->y = node / columns;
        }
        host = std::make_unique<Vhost>(&context);
        host->x = host->y = 0;
        host->clk = host->rst = 0;
        for (auto& tile : tiles) tile->clk = tile->rst = 0;
        evaluate();
    }

    double flips = 0, unreachable = 0;
    long delivered = 0, created = 0, lost = 0, reported = 0, broken = 0, hits = 0, reports = 0;
    long counted = 0, wrong_at_host = 0, endpoint_reports = 0, flits = 0, ended = 0;
    long copies = 0, cut = 0;  // with multicast: to be delivered, and of these hit on the way

    void run(long packets) {
        const long target = created + packets;
        long last_progress = now, last_ended = ended, shown = 0;
        while (ended < created || created < target) {
            if (now % StormCycles == 0) weather();
            if (created < target) create(target);
            cycle();
            if (ended != last_ended) last_progress = now, last_ended = ended;
            if (now - last_progress > HangCycles)
                fail("hangs: %ld of %ld packets ended, nothing for %ld cycles", ended, created,
                     HangCycles);
            if (ended / 20000 != shown) {
                shown = ended / 20000;
                std::printf("progress %ld %ld %ld\n", ended, target, now);
                std::fflush(stdout);
            }
        }
        settle();
    }

  private:
    int columns, rows, nodes, longest;
    bool ordered;
    std::mt19937_64 random;
    VerilatedContext context;
    std::vector<std::unique_ptr<Vtile>> tiles;
    std::unique_ptr<Vhost> host;
    std::vector<Stream> streams;
    std::vector<Wire> wires;  // [node][side]: out of the node
    Wire from_host;
    std::vector<uint8_t> expected_reports;  // parity_error of each router in this cycle
    std::vector<std::array<long, Inputs>> expected_counts;  // wrong flits by input, endpoint last
    std::vector<int> outstanding;           // flits in the receiver's buffer, [node][side][channel]
    Rectangle everybody;
    std::vector<long> latest;  // with multicast: the last packet seen, [source][node]
    std::vector<uint32_t> next_in_flow, seen_in_flow;
    std::vector<Packet> packets;
    long settled = 0;
    int pattern = 0, hot = 0;
    bool calm = false;

    bool chance(double probability) {
        return std::generate_canonical<double, 32>(random) < probability;
    }
    int below(int count) { return int(random() % uint64_t(count)); }
    Stream& stream(int node, int message_class) { return streams[node * CLASSES + message_class]; }
    std::size_t flow(const Packet& packet) const {
        return (packet.source * (nodes + 1) + packet.destination) * CLASSES + packet.message_class;
    }

    // New rates: some nodes take nothing at all, some are slow, some are fast.
    void weather() {
        static const double ejects[] = {0, 0.05, 0.3, 0.5, 1, 1, 1}, injects[] = {0.05, 0.3, 1, 1};
        pattern = below(4);
        hot = below(nodes + 1);
        const bool storm = chance(0.2);
        for (Stream& each : streams) {
            each.eject = storm ? ejects[below(3)] : ejects[2 + below(5)];
            each.inject = injects[below(4)];
        }
    }

    int destination_of(int source) {
        int to = below(nodes + 1);
        if (pattern == 1 && chance(0.5)) to = hot;
        if (pattern == 2 && source < nodes) to = nodes - 1 - source;
        if (pattern == 3 && source < nodes) to = source / columns * columns + (source + 1) % columns;
        return to == nodes && source == nodes ? below(nodes) : to;
    }

    Rectangle only(int node) const {
        const uint8_t x = node % columns, y = node / columns;
        return node == nodes ? Rectangle{0, 0, 0, 0, true} : Rectangle{x, y, x, y};
    }

    // A single node, everybody, or any rectangle that begins there.
    Rectangle rectangle_at(int node) {
        Rectangle to = only(node);
        const int kind = below(10);
        if (to.host || kind < 4) return to;
        if (kind == 4) return everybody;
        to.x_last += below(columns - to.x);
        to.y_last += below(rows - to.y);
        return to;
    }

    // No rectangle of nodes: beyond the mesh, turned over, or the host and more.
    Rectangle nowhere(uint32_t number) const {
        const uint8_t x = columns, y = rows;
        const Rectangle wrong[] = {{0, 0, x, 0}, {0, 0, 0, y}, {1, 0, 0, 0}, {0, 1, 0, 0},
                                   {0, 0, 1, 0, true}, {x, 0, x, 0}};
        return wrong[number % 6];
    }

    void add(int source, int destination, int message_class, bool exists) {
        const int length = 1 + below(longest);
        Packet packet{uint8_t(source), uint8_t(destination), uint8_t(message_class), uint8_t(length),
                      0, false, false, !exists, {}, 0};
        if (MULTICAST) {
            packet.to = exists ? rectangle_at(destination) : nowhere(uint32_t(packets.size()));
            packet.owed = exists ? packet.to.nodes(columns, nodes) : 0;
        }
        copies += MULTICAST ? __builtin_popcountll(packet.owed) : exists;
        if (exists) packet.place_in_flow = ++next_in_flow[flow(packet)];
        else ++lost;
        stream(source, message_class).queue.push_back(uint32_t(packets.size()));
        packets.push_back(packet);
        ++created;
    }

    void create(long target) {
        for (int node = 0; node <= nodes && created < target; ++node) {
            if (stream(node, 0).queue.size() > 4 || !chance(stream(node, 0).inject)) continue;
            add(node, destination_of(node), 0, !chance(unreachable));
        }
    }

    Bits flit_of(uint32_t number, int place) const {
        const Packet& packet = packets[number];
        uint64_t low = mixed(uint64_t(number) << 8 | place), high = mixed(low);
        Bits bits{uint32_t(low), uint32_t(low >> 32), uint32_t(high)};
        const auto write = [&bits](int start, int count, uint64_t value) {
            for (int i = 0; i < count; ++i)
                if (bit(bits, start + i) != (value >> i & 1)) flip(bits, start + i);
        };
        if (place == 0) {
            uint64_t to = packet.destination % columns | packet.destination / columns << 5;
            if (packet.destination == nodes) to = 1 << 10;
            if (packet.lost) to = number & 1 ? uint64_t(columns) : uint64_t(rows) << 5;
            write(0, DestinationBits, MULTICAST ? packet.to.code() : to);
        }
        write(DestinationBits, NumberBits, number);
        write(PayloadBits, 1, place == 0);
        write(PayloadBits + 1, 1, place == packet.length - 1);
        for (int i = FlitBits; i < 96; ++i)
            if (bit(bits, i)) flip(bits, i);
        return bits;
    }

    void offer(int node, int message_class, uint8_t& valid, Bits& bits) {
        Stream& each = stream(node, message_class);
        each.offered = !each.queue.empty() && (each.offered || calm || chance(each.inject));
        valid = each.offered;
        if (each.offered) bits = flit_of(each.queue.front(), each.sent);
    }

    void injected(int node, int message_class) {
        Stream& each = stream(node, message_class);
        const uint32_t number = each.queue.front();
        each.offered = false;
        ++flits;
        if (++each.sent < packets[number].length) return;
        each.sent = 0;
        each.queue.pop_front();
        if (packets[number].lost) ++ended;
    }

    // With multicast: a copy came; it must be owed to this node, and no later one of its source.
    void copy_came(int node, const Bits& bits) {
        const long number = long(field(bits, DestinationBits, NumberBits));
        if (number >= long(packets.size())) fail("node %d: an unknown packet", node);
        Packet& packet = packets[number];
        const NodeSet self = NodeSet(1) << node;
        if (packet.lost || !(packet.to.nodes(columns, nodes) & self))
            fail("packet %ld came to node %d", number, node);
        if (!(packet.owed & self))
            fail("packet %ld came to node %d twice, or damaged", number, node);
        if (bits != flit_of(uint32_t(number), 0)) fail("packet %ld changed", number);
        packet.owed &= ~self;
        ++delivered;
        if (!packet.owed) ++ended;
        long& last = latest[packet.source * (nodes + 1) + node];
        if (number < last) fail("packet %ld was overtaken by %ld", number, last);
        last = number;
    }

    void ejected(int node, int message_class, const Bits& bits) {
        if (MULTICAST) return copy_came(node, bits);
        Stream& each = stream(node, message_class);
        if (each.open >= 0 && bit(bits, PayloadBits)) {  // the packet broke off
            if (!packets[each.open].hit) fail("packet %ld broke off for no reason", each.open);
            ++broken;
            each.open = -1;
            if (!bit(bits, PayloadBits + 1)) fail("a packet's end without a tail");
            return;
        }
        if (each.open < 0) {
            each.open = long(field(bits, DestinationBits, NumberBits));
            each.received = 0;
            if (each.open >= long(packets.size())) fail("node %d: an unknown packet", node);
        }
        Packet& packet = packets[each.open];
        if (packet.destination != node || packet.message_class != message_class || packet.lost)
            fail("packet %ld came to node %d, class %d", each.open, node, message_class);
        if (packet.arrived) fail("packet %ld came twice", each.open);
        if (bits != flit_of(uint32_t(each.open), each.received))
            fail("packet %ld (%s), flit %d changed: %08x%08x%08x", each.open, packet.hit ? "hit" : "not hit",
                 each.received, bits[2], bits[1], bits[0]);
        if (++each.received < packet.length) return;
        if (packet.hit) fail("packet %ld was hit by a fault and arrived whole", each.open);
        packet.arrived = true;
        ++delivered;
        ++ended;
        uint32_t& seen = seen_in_flow[flow(packet)];
        if (ordered && packet.place_in_flow <= seen)
            fail("packet %ld was overtaken", each.open);
        seen = std::max(seen, packet.place_in_flow);
        each.open = -1;
        if (CLASSES > 1 && message_class == 0 && packet.source != node)
            add(node, packet.source, 1, true);
    }

    bool takes(int node, int message_class) {
        const Stream& each = stream(node, message_class);
        if (CLASSES > 1 && message_class == 0 && stream(node, 1).queue.size() >= 3) return false;
        return calm || chance(each.eject);
    }

    // With multicast: nobody gets a copy over this link any more.
    void cut_off(Packet& packet, int at, int side) {
        NodeSet gone = 0;
        for (int node = 0; node <= nodes; ++node)
            if (at < 0 || leads_over(packet.source, node, at, side, columns, nodes))
                gone |= NodeSet(1) << node;
        gone &= packet.owed;
        if (!gone) fail("a copy is on a link that leads to nobody who is owed it");
        packet.owed &= ~gone;
        cut += __builtin_popcountll(gone);
        if (!packet.owed) ++ended;
    }

    // A flit on a link: perhaps spoilt; whether its parity is wrong when it arrives.
    // The link leaves router ``at`` by ``side``; ``at`` is -1 for the host's link into the mesh.
    bool travel(Wire& wire, int at, int side) {
        if (!wire.valid) return false;
        const bool wrong = parity_of(wire.flit) == wire.parity;
        if (wrong || flips == 0 || calm || !chance(flips)) return wrong;
        const auto number = field(wire.flit, DestinationBits, NumberBits);
        Packet& packet = packets[number];
        if (MULTICAST) cut_off(packet, at, side);
        else if (!packet.hit) ++ended;
        packet.hit = true;
        ++hits;
        const int place = below(FlitBits + 1);
        if (place == FlitBits) wire.parity = !wire.parity;
        else flip(wire.flit, place);
        return true;
    }

    void count(int node, int side, const Wire& out, uint8_t credit) {
        for (int channel = 0; channel < CHANNELS; ++channel) {
            int& held = outstanding[(node * Sides + side) * CHANNELS + channel];
            held += (out.valid && out.channel == channel) - (credit >> channel & 1);
            if (held < 0 || held > DEPTH)
                fail("node %d side %d channel %d: %d flits in a buffer of %d", node, side, channel,
                     held, DEPTH);
        }
    }

    void evaluate() {
        for (auto& tile : tiles) tile->eval();
        host->eval();
    }

#define SIDES(DO) DO(North, north) DO(East, east) DO(South, south) DO(West, west)

    Wire out_of(int node, int side) {
        Vtile& tile = *tiles[node];
        Wire wire;
#define SEND(number, name)                                  \
    if (side == number) {                                   \
        wire.valid = tile.name##_out___05Fvalid;            \
        wire.parity = tile.name##_out___05Fparity;          \
        wire.channel = tile.name##_out___05Fchannel;        \
        wire.credit = tile.name##_in___05Fcredit;           \
        wire.flit = get(tile.name##_out___05Fflit);         \
    }
        SIDES(SEND)
        return wire;
    }

    void into(int node, int side, const Wire& wire) {
        Vtile& tile = *tiles[node];
#define RECEIVE(number, name)                               \
    if (side == number) {                                   \
        tile.name##_in___05Fvalid = wire.valid;             \
        tile.name##_in___05Fparity = wire.parity;           \
        tile.name##_in___05Fchannel = wire.channel;         \
        put(tile.name##_in___05Fflit, wire.flit);           \
        tile.name##_out___05Fcredit = wire.credit;          \
    }
        SIDES(RECEIVE)
    }

    int neighbour(int node, int side) const {
        const int x = node % columns, y = node / columns;
        if (side == North) return y > 0 ? node - columns : -1;
        if (side == South) return y < rows - 1 ? node + columns : -1;
        if (side == East) return x < columns - 1 ? node + 1 : -1;
        return x > 0 ? node - 1 : -1;
    }

    template <class Model>
    void streams_before(int node, Model& model) {
        uint8_t valid;
        Bits bits{};
#define BEFORE(index)                                                       \
    offer(node, index, valid, bits);                                        \
    model.inject___05F##index##___05Fvalid = valid;                         \
    put(model.inject___05F##index##___05Fpayload, bits);                    \
    stream(node, index).ready = takes(node, index);                         \
    model.eject___05F##index##___05Fready = stream(node, index).ready;
        BEFORE(0)
#if CLASSES > 1
        BEFORE(1)
#endif
    }

    template <class Model>
    void streams_after(int node, Model& model) {
#define AFTER(index)                                                                        \
    if (stream(node, index).offered && model.inject___05F##index##___05Fready)              \
        injected(node, index);                                                              \
    if (stream(node, index).ready && model.eject___05F##index##___05Fvalid)                 \
        ejected(node, index, get(model.eject___05F##index##___05Fpayload));
        AFTER(0)
#if CLASSES > 1
        AFTER(1)
#endif
        reported += __builtin_popcount(model.unreachable);
    }

    void cycle() {
        for (int node = 0; node < nodes; ++node) {
            const int seen = tiles[node]->parity_error;
            if ((seen & 0x1f & ~(1 << 4)) != expected_reports[node])
                fail("router %d reports %02x of wrong parity, not %02x", node, seen,
                     expected_reports[node]);
            reports += __builtin_popcount(seen & 0xf);
            endpoint_reports += seen >> 5;
            for (int side = 0; side < Sides; ++side)
                expected_counts[node][side] += expected_reports[node] >> side & 1;
            expected_counts[node][Endpoint] += seen >> Endpoint & 1;
            expected_reports[node] = 0;
            for (int side = 0; side < Sides; ++side)
                wires[node * Sides + side] = out_of(node, side);
        }
        from_host.valid = host->link_out___05Fvalid;
        from_host.parity = host->link_out___05Fparity;
        from_host.channel = host->link_out___05Fchannel;
        from_host.flit = get(host->link_out___05Fflit);
        from_host.credit = host->link_in___05Fcredit;
        endpoint_reports += host->parity_error;
        for (int node = 0; node < nodes; ++node) {
            for (int side = 0; side < Sides; ++side) {
                const int other = neighbour(node, side);
                if (other < 0) continue;
                Wire wire = wires[other * Sides + (side + 2) % Sides];
                expected_reports[node] |= travel(wire, other, (side + 2) % Sides) << side;
                into(node, side, wire);
                count(other, (side + 2) % Sides, wire, wires[node * Sides + side].credit);
            }
        }
        Wire to_host = wires[West];
        Wire entering = from_host;
        expected_reports[0] |= travel(entering, -1, West) << West;
        into(0, West, entering);
        wrong_at_host += travel(to_host, 0, West);
        host->link_in___05Fvalid = to_host.valid;
        host->link_in___05Fparity = to_host.parity;
        host->link_in___05Fchannel = to_host.channel;
        put(host->link_in___05Fflit, to_host.flit);
        host->link_out___05Fcredit = to_host.credit;
        count(0, West, to_host, from_host.credit);
        for (int node = 0; node < nodes; ++node) {
            streams_before(node, *tiles[node]);
            tiles[node]->clk = 0;
        }
        streams_before(nodes, *host);
        host->clk = 0;
        evaluate();
        for (int node = 0; node < nodes; ++node) {
            streams_after(node, *tiles[node]);
            tiles[node]->clk = 1;
        }
        streams_after(nodes, *host);
        host->clk = 1;
        evaluate();
        ++now;
    }

    // Each wrong flit was counted once at the input that it came to.
    void compare_counts() {
        counted = 0;
        for (int input = 0; input < Inputs; ++input) {
            for (auto& tile : tiles) tile->count_index = input;
            for (int i = 0; i < 2 * Inputs; ++i) cycle();
            for (int node = 0; node < nodes; ++node) {
                const long found = tiles[node]->count;
                if (found != expected_counts[node][input])
                    fail("node %d counts %ld wrong flits at input %d, not %ld", node, found, input,
                         expected_counts[node][input]);
                if (input < Sides) counted += found;
            }
        }
        // A wrong flit of a longer packet may go on and be counted again.
        if (longest == 1 && counted + wrong_at_host != hits)
            fail("%ld flits were hit, %ld counted", hits, counted + wrong_at_host);
    }

    // Everybody takes everything: what is left leaves, and every credit comes back.
    void settle() {
        calm = true;
        for (int i = 0; i < 2000; ++i) cycle();
        for (Stream& each : streams) {
            if (!each.queue.empty()) fail("a packet was never taken");
            if (each.open >= 0 && !packets[each.open].hit) fail("packet %ld is incomplete", each.open);
            if (each.open >= 0) fail("packet %ld never broke off", each.open);
        }
        for (std::size_t i = 0; i < outstanding.size(); ++i)
            if (outstanding[i]) fail("%d credits of link %zu did not come back", outstanding[i], i);
        for (std::size_t i = settled; i < packets.size(); ++i)
            if (MULTICAST ? packets[i].owed != 0
                          : !packets[i].arrived && !packets[i].hit && !packets[i].lost)
                fail("packet %zu is lost", i);
        if (MULTICAST && delivered + cut != copies)
            fail("%ld copies: %ld came, %ld were hit", copies, delivered, cut);
        settled = long(packets.size());
        compare_counts();
        if (reported != lost) fail("%ld unreachable packets, %ld reported", lost, reported);
        calm = false;
    }
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 9) {
        std::fprintf(stderr, "usage: columns rows packets seed longest ordered flips unreachable\n");
        return 2;
    }
    const long packets = std::atol(argv[3]);
    if (MULTICAST && std::atoi(argv[1]) * std::atoi(argv[2]) > 63) {
        std::fprintf(stderr, "multicast: at most 63 clusters\n");
        return 2;
    }
    Soak soak(std::atoi(argv[1]), std::atoi(argv[2]), std::strtoull(argv[4], nullptr, 10),
              std::atoi(argv[5]), std::atoi(argv[6]) != 0);
    soak.flips = std::atof(argv[7]) / 1e6;
    soak.unreachable = std::atof(argv[8]) / 1e6;
    soak.run(packets);
    if (soak.flips > 0 || soak.unreachable > 0) {
        soak.flips = soak.unreachable = 0;
        soak.run(packets / 10 + 1);
    }
    if (std::atof(argv[7]) > 0 && soak.hits == 0) fail("no fault was injected");
    if (std::atof(argv[8]) > 0 && soak.lost == 0) fail("no packet was unreachable");
    std::printf("ok cycles=%ld packets=%ld delivered=%ld flits=%ld hits=%ld reports=%ld counted=%ld "
                "endpoint_reports=%ld broken=%ld unreachable=%ld copies=%ld\n",
                now, soak.created, soak.delivered, soak.flits, soak.hits, soak.reports, soak.counted,
                soak.endpoint_reports, soak.broken, soak.reported, soak.copies);
    return 0;
}
