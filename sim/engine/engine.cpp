// See engine.hpp and docs/simulation.md.
#include "engine.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include <x86intrin.h>

#include "bits.hpp"
#include "reader.hpp"

namespace octopus {
namespace {

constexpr uint16_t kMostPatience = 1024;
constexpr uint32_t kMostRounds = 10000;
constexpr uint32_t kDriver = 0;

template <typename Word>
bool copy_word(uint8_t* to, const uint8_t* from) {
    Word value, before;
    std::memcpy(&value, from, sizeof value);
    std::memcpy(&before, to, sizeof before);
    std::memcpy(to, &value, sizeof value);
    return value != before;
}

bool copy(const Sink& sink, const uint8_t* from) {
    switch (sink.bytes) {
        case kFewBits:
            return copy_few_bits(sink.to, sink.to_bit, from, sink.from_bit, sink.width);
        case 0: return copy_bits(sink.to, sink.to_bit, from, sink.from_bit, sink.width);
        case 1: return copy_word<uint8_t>(sink.to, from);
        case 2: return copy_word<uint16_t>(sink.to, from);
        case 4: return copy_word<uint32_t>(sink.to, from);
        case 8: return copy_word<uint64_t>(sink.to, from);
        default:
            if (!std::memcmp(sink.to, from, sink.bytes)) return false;
            std::memcpy(sink.to, from, sink.bytes);
            return true;
    }
}

void relax() { _mm_pause(); }

}  // namespace

Engine::Engine(const Part* const* parts, const uint8_t* tables, uint32_t threads) {
    Reader in(tables);
    load(in, parts, threads);
    initialise();
    for (uint32_t i = 1; i < shards_.size(); ++i) workers_.emplace_back([this, i] { work(i); });
}

Engine::~Engine() {
    ending_ = true;
    started_.fetch_add(1);
    started_.notify_all();
    for (auto& worker : workers_) worker.join();
    for (auto& instance : instances_)
        if (instance.model) instance.part->destroy(instance.model);
}

// Carry every output once, then follow until nothing changes.
void Engine::initialise() {
    for (uint32_t i = 1; i < instances_.size(); ++i) {
        auto& instance = instances_[i];
        instance.part->follow(instance.state);
        instance.part->changed(instance.state, instance.shadow, shards_[0].ports.data());
    }
    for (uint32_t i = 0; i < instances_.size(); ++i) {
        const uint32_t ports = i == kDriver ? static_cast<uint32_t>(driver_ports_.size())
                                            : instances_[i].part->port_count;
        for (uint32_t port = 0; port < ports; ++port)
            carry(shards_[0], instances_[i], {i, port}, true);
    }
    settle_all();
    wake_all();
}

void Engine::wake_all() {
    for (uint32_t i = 1; i < instances_.size(); ++i) {
        auto& instance = instances_[i];
        instance.quiet = 0;
        instance.proofs = 0;
        instance.patience = 1;
        instance.dirty = true;
        instance.touched = true;
        auto& shard = shards_[instance.shard];
        if (instance.part->has_state)
            shard.awake[(i - shard.first) / 64] |= 1ull << (i - shard.first) % 64;
        std::vector<uint16_t> ports(instance.part->port_count);
        instance.part->changed(instance.state, instance.shadow, ports.data());
    }
    driver_shadow_ = driver_state_;
    outputs_changed_ = true;
}

uint8_t* Engine::port(const char* name) {
    for (size_t i = 0; i < driver_names_.size(); ++i)
        if (driver_names_[i] == name) return driver_state_.data() + driver_ports_[i].offset;
    throw std::runtime_error(std::string("the chip has no port ") + name);
}

bool Engine::resting() const {
    for (const auto& shard : shards_)
        for (const auto word : shard.awake)
            if (word) return false;
    return true;
}

uint64_t Engine::evaluations() const {
    uint64_t all = 0;
    for (const auto& shard : shards_) all += shard.edges + shard.follows;
    return all;
}

void Engine::count_evaluations() {
    counting_ = true;
    for (auto* counts : {&edge_counts_, &follow_counts_, &edge_ticks_, &follow_ticks_})
        counts->assign(instances_.size(), 0);
}

uint32_t Engine::part_count() const {
    uint32_t count = 0;
    const Part* last = nullptr;
    for (const auto& instance : instances_) {
        count += instance.part && instance.part != last;
        last = instance.part;
    }
    return count;
}

uint32_t Engine::profile(const char** names, uint64_t* counts) const {
    uint32_t count = 0;
    const Part* last = nullptr;
    for (uint32_t i = 1; i < instances_.size(); ++i) {
        if (instances_[i].part != last) {
            last = instances_[i].part;
            names[count] = last->name;
            std::fill_n(&counts[4 * count], 4, 0);
            ++count;
        }
        uint64_t* of = &counts[4 * (count - 1)];
        of[0] += edge_counts_[i];
        of[1] += follow_counts_[i];
        of[2] += edge_ticks_[i];
        of[3] += follow_ticks_[i];
    }
    return count;
}

// An input of an instance has changed.
inline void Engine::mark(const Sink& sink) {
    if (sink.instance == kDriver) {
        outputs_changed_ = true;
        return;
    }
    auto& instance = instances_[sink.instance];
    auto& shard = shards_[instance.shard];
    instance.dirty |= sink.followed;
    instance.touched = true;
    const uint32_t place = sink.instance - shard.first;
    if (instance.part->has_state) shard.awake[place / 64] |= 1ull << place % 64;
    if (sink.level && (instance.pending == 0 || instance.pending > sink.level)) {
        instance.pending = sink.level;
        shard.levels[sink.level].push_back(sink.instance);
        ++shard.waiting;
    }
}

inline void Engine::deliver(const Sink& sink, const uint8_t* from) {
    if (copy(sink, from)) mark(sink);
}

// Bring an output to its sinks: those of its shard, or all of them.
inline void Engine::carry(Shard& shard, const Instance& source, const Change& change,
                          bool others_too) {
    const auto& fan = fans_[source.fans + change.port];
    if (fan.first == fan.end) return;
    const auto& port = port_of(change.instance, change.port);
    const uint8_t* from = source.state + port.offset;
    for (uint32_t i = fan.first; i < fan.others; ++i) deliver(sinks_[i], from);
    if (fan.others == fan.end) return;
    if (others_too) {
        for (uint32_t i = fan.others; i < fan.end; ++i) deliver(sinks_[i], from);
        return;
    }
    for (uint32_t i = fan.others; i < fan.end; ++i) {
        auto& mail = shard.mail[parity_][instances_[sinks_[i].instance].shard];
        mail.parcels.push_back({i, static_cast<uint32_t>(mail.words.size())});
        const size_t words = (port.bytes + 3) / 4;
        mail.words.resize(mail.words.size() + words);
        std::memcpy(&mail.words[mail.words.size() - words], from, port.bytes);
    }
}

void Engine::evaluate_edges(Shard& shard) {
    uint16_t* ports = shard.ports.data();
    for (size_t word = 0; word < shard.awake.size(); ++word) {
        for (uint64_t left = shard.awake[word]; left; left &= left - 1) {
            const uint32_t index =
                shard.first + static_cast<uint32_t>(64 * word) + __builtin_ctzll(left);
            auto& instance = instances_[index];
            const auto& part = *instance.part;
            const uint64_t start = counting_ ? __rdtsc() : 0;
            if (instance.dirty) {
                part.follow(instance.state);
                instance.dirty = false;
            }
            part.edge(instance.state);
            const uint32_t count = part.changed(instance.state, instance.shadow, ports);
            ++shard.edges;
            if (counting_) {
                ++edge_counts_[index];
                edge_ticks_[index] += __rdtsc() - start;
            }
            for (uint32_t i = 0; i < count; ++i) shard.changes.push_back({index, ports[i]});
            if (count || instance.touched) {
                instance.touched = false;
                instance.quiet = 0;
                instance.proofs = 0;
            } else if (++instance.quiet >= instance.patience) {
                look_for_rest(shard, index);
            }
        }
    }
}

// If the last edge left the state as it was, with the same inputs, further ones will, too.
void Engine::look_for_rest(Shard& shard, uint32_t index) {
    auto& instance = instances_[index];
    const auto& part = *instance.part;
    if (!instance.snapshot) {
        uint32_t bytes = 0;
        for (uint32_t i = 0; i < part.range_count; ++i) bytes += part.ranges[i].bytes;
        instance.snapshot = std::make_unique<uint8_t[]>(bytes);
    }
    uint8_t* kept = instance.snapshot.get();
    bool same = instance.quiet > instance.patience;
    for (uint32_t i = 0; i < part.range_count && same; ++i) {
        same = !std::memcmp(kept, instance.state + part.ranges[i].first, part.ranges[i].bytes);
        kept += part.ranges[i].bytes;
    }
    if (same) {
        if (++instance.proofs < part.rest_proofs) return;
        const uint32_t place = index - shard.first;
        shard.awake[place / 64] &= ~(1ull << place % 64);
        instance.quiet = 0;
        instance.proofs = 0;
        instance.patience = 1;
        return;
    }
    if (instance.quiet > instance.patience) {  // it was looked at and did not rest
        instance.patience = std::min<uint32_t>(2 * instance.patience, kMostPatience);
        instance.quiet = 0;
        instance.proofs = 0;
        return;
    }
    kept = instance.snapshot.get();
    for (uint32_t i = 0; i < part.range_count; ++i) {
        std::memcpy(kept, instance.state + part.ranges[i].first, part.ranges[i].bytes);
        kept += part.ranges[i].bytes;
    }
}

// Follow changed inputs until no output changes.
void Engine::settle_shard(Shard& shard) {
    uint16_t* ports = shard.ports.data();
    for (uint32_t round = 0; shard.waiting; ++round) {
        if (round > kMostRounds) {
            std::fprintf(stderr, "the chip has a combinational loop that does not come to rest\n");
            std::abort();
        }
        for (uint32_t level = 1; level < shard.levels.size(); ++level) {
            auto& queue = shard.levels[level];
            for (size_t next = 0; next < queue.size(); ++next) {
                const uint32_t index = queue[next];
                auto& instance = instances_[index];
                if (instance.pending != level) continue;
                instance.pending = 0;
                const uint64_t start = counting_ ? __rdtsc() : 0;
                instance.part->follow(instance.state);
                instance.dirty = false;
                ++shard.follows;
                const uint32_t count =
                    instance.part->changed(instance.state, instance.shadow, ports);
                if (counting_) {
                    ++follow_counts_[index];
                    follow_ticks_[index] += __rdtsc() - start;
                }
                for (uint32_t i = 0; i < count; ++i)
                    carry(shard, instance, {index, ports[i]}, alone_);
            }
            shard.waiting -= static_cast<uint32_t>(queue.size());
            queue.clear();
        }
    }
}

void Engine::settle() {
    alone_ = true;
    bool changed = false;
    for (uint32_t i = 0; i < driver_ports_.size(); ++i) {
        const auto& port = driver_ports_[i];
        const size_t offset = port.offset;
        if (port.is_input && std::memcmp(&driver_state_[offset], &driver_shadow_[offset], port.bytes)) {
            std::memcpy(&driver_shadow_[offset], &driver_state_[offset], port.bytes);
            carry(shards_[0], instances_[kDriver], {kDriver, i}, true);
            changed = true;
        }
    }
    if (changed) settle_all();
}

// This thread alone settles all shards.
void Engine::settle_all() {
    bool waiting = true;
    while (waiting) {
        for (auto& shard : shards_) settle_shard(shard);
        waiting = false;
        for (const auto& shard : shards_) waiting |= shard.waiting != 0;
    }
}

void Engine::cycle_of(uint32_t number) {
    auto& shard = shards_[number];
    evaluate_edges(shard);
    for (const auto& change : shard.changes) carry(shard, instances_[change.instance], change, false);
    shard.changes.clear();
    settle_shard(shard);
}

// Take what other shards sent in this cycle.
void Engine::receive(uint32_t number) {
    for (auto& shard : shards_) {
        auto& mail = shard.mail[parity_][number];
        for (const auto& parcel : mail.parcels)
            deliver(sinks_[parcel.sink],
                    reinterpret_cast<const uint8_t*>(&mail.words[parcel.first_word]));
        mail.parcels.clear();
        mail.words.clear();
    }
}

void Engine::edge() {
    alone_ = false;
    if (shards_.size() == 1) {
        cycle_of(0);
        return;
    }
    started_.fetch_add(1, std::memory_order_release);
    started_.notify_all();
    cycle_of(0);
    barrier();
    receive(0);
    barrier();
}

void Engine::work(uint32_t number) {
    uint64_t seen = 0;
    for (;;) {
        for (uint32_t spins = 0; started_.load(std::memory_order_acquire) == seen; ++spins) {
            if (spins < 20000)
                relax();
            else
                started_.wait(seen, std::memory_order_acquire);
        }
        ++seen;
        if (ending_) return;
        cycle_of(number);
        barrier();
        receive(number);
        barrier();
    }
}

void Engine::barrier() {
    const uint32_t generation = generation_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == shards_.size()) {
        arrived_.store(0, std::memory_order_relaxed);
        generation_.store(generation + 1, std::memory_order_release);
        return;
    }
    for (uint32_t spins = 0; generation_.load(std::memory_order_acquire) == generation; ++spins) {
        if (spins < 5000)
            relax();
        else
            std::this_thread::yield();
    }
}

}  // namespace octopus
