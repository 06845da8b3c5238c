// Makes the instances of a chip and the joins between them from the tables.
#include <algorithm>
#include <vector>

#include "bits.hpp"
#include "engine.hpp"
#include "reader.hpp"

namespace octopus {
namespace {

constexpr uint32_t kDriver = 0;

// Bytes that Verilator stores a port of this width in.
uint32_t storage_bytes(uint32_t width) {
    if (width <= 8) return 1;
    if (width <= 16) return 2;
    if (width <= 32) return 4;
    if (width <= 64) return 8;
    return 4 * ((width + 31) / 32);
}

// An instance in the tables.
struct Place {
    uint32_t number, part, shard;
    std::string path;
    std::vector<uint32_t> levels;  // of each port
};

struct Join {
    uint32_t fan;
    bool to_other_shard;
    Sink sink;
};

std::vector<Place> read_places(Reader& in, const Part* const* parts, uint32_t instances,
                               uint32_t shards, uint32_t clusters) {
    std::vector<Place> places(instances);
    for (uint32_t i = 1; i < instances; ++i) {
        auto& place = places[i];
        place.number = i;
        place.part = in.word();
        place.shard = in.word() * shards / clusters;
        place.path = in.text();
        place.levels.resize(parts[place.part]->port_count);
        for (auto& level : place.levels) level = in.word();
    }
    // The instances of a shard together, and in it those of a part: their code stays in the cache.
    std::stable_sort(places.begin() + 1, places.end(), [](const Place& a, const Place& b) {
        return a.shard != b.shard ? a.shard < b.shard : a.part < b.part;
    });
    return places;
}

}  // namespace

void Engine::load(Reader& in, const Part* const* parts, uint32_t threads) {
    const uint32_t instances = in.word(), clusters = in.word(), levels = in.word();
    const uint32_t shards = std::max(1u, std::min(threads, clusters));
    const auto places = read_places(in, parts, instances, shards, clusters);
    std::vector<uint32_t> place_of(instances), level_of;
    instances_.resize(instances);
    shards_.resize(shards);
    load_driver(in);
    uint32_t fans = static_cast<uint32_t>(driver_ports_.size());
    level_of.resize(fans);
    paths_.emplace_back();
    for (uint32_t i = 1; i < instances; ++i) {
        place_of[places[i].number] = i;
        make_instance(instances_[i], *parts[places[i].part], places[i].shard, fans);
        paths_.push_back(places[i].path);
        level_of.insert(level_of.end(), places[i].levels.begin(), places[i].levels.end());
        fans += instances_[i].part->port_count;
        auto& shard = shards_[places[i].shard];
        if (shard.end == 0) shard.first = i;
        shard.end = i + 1;
    }
    for (auto& shard : shards_) prepare_shard(shard, levels);
    load_joins(in, place_of, level_of);
    load_constants(in, place_of);
}

void Engine::load_driver(Reader& in) {
    const uint32_t count = in.word();
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < count; ++i) {
        driver_names_.push_back(in.text());
        const uint32_t width = in.word(), is_input = in.word(), size = storage_bytes(width);
        bytes = (bytes + 7) / 8 * 8;
        driver_ports_.push_back({nullptr, bytes, static_cast<uint16_t>(size),
                                 static_cast<uint16_t>(width), static_cast<uint8_t>(is_input), 0});
        bytes += size;
    }
    bytes += 8;  // for copy_few_bits
    driver_state_.resize(bytes);
    driver_shadow_.resize(bytes);
    instances_[kDriver].state = driver_state_.data();
}

void Engine::make_instance(Instance& instance, const Part& part, uint32_t shard, uint32_t fans) {
    void* state = nullptr;
    instance.part = &part;
    instance.shard = shard;
    instance.fans = fans;
    instance.model = part.create(&context_, &state);
    instance.state = static_cast<uint8_t*>(state);
    shadows_.push_back(std::make_unique<uint8_t[]>(part.shadow_bytes));
    instance.shadow = shadows_.back().get();
}

void Engine::prepare_shard(Shard& shard, uint32_t levels) {
    shard.awake.assign((shard.end - shard.first + 63) / 64, 0);
    shard.levels.resize(levels + 1);
    for (auto& mail : shard.mail) mail.resize(shards_.size());
    uint32_t most = 0;
    for (const auto& instance : instances_)
        if (instance.part) most = std::max(most, instance.part->port_count);
    shard.ports.resize(most);
}

const Port& Engine::port_of(uint32_t instance, uint32_t port) const {
    return instance == kDriver ? driver_ports_[port] : instances_[instance].part->ports[port];
}

void Engine::load_joins(Reader& in, const std::vector<uint32_t>& place_of,
                        const std::vector<uint32_t>& level_of) {
    std::vector<Join> joins(in.word());
    for (auto& join : joins) {
        const uint32_t source = place_of[in.word()], output = in.word(), from_bit = in.word();
        const uint32_t target = place_of[in.word()], input = in.word(), to_bit = in.word();
        const uint32_t width = in.word();
        const auto& out = port_of(source, output);
        const auto& into = port_of(target, input);
        const bool whole = width == out.width && width == into.width;
        const uint32_t few = are_few_bits(to_bit, from_bit, width) ? kFewBits : 0;
        join.fan = instances_[source].fans + output;
        join.to_other_shard = instances_[source].shard != instances_[target].shard;
        join.sink = {instances_[target].state + into.offset,
                     target,
                     static_cast<uint16_t>(from_bit),
                     static_cast<uint16_t>(to_bit),
                     static_cast<uint16_t>(width),
                     static_cast<uint16_t>(whole ? into.bytes : few),
                     static_cast<uint8_t>(level_of[instances_[target].fans + input]),
                     into.followed != 0};
    }
    std::stable_sort(joins.begin(), joins.end(), [](const Join& a, const Join& b) {
        return a.fan != b.fan ? a.fan < b.fan : a.to_other_shard < b.to_other_shard;
    });
    fans_.resize(level_of.size());
    uint32_t next = 0;
    const auto count = static_cast<uint32_t>(joins.size());
    for (uint32_t fan = 0; fan < fans_.size(); ++fan) {
        fans_[fan].first = next;
        while (next < count && joins[next].fan == fan && !joins[next].to_other_shard) ++next;
        fans_[fan].others = next;
        while (next < count && joins[next].fan == fan) ++next;
        fans_[fan].end = next;
    }
    for (const auto& join : joins) sinks_.push_back(join.sink);
}

void Engine::load_constants(Reader& in, const std::vector<uint32_t>& place_of) {
    for (uint32_t left = in.word(); left; --left) {
        const uint32_t target = place_of[in.word()], input = in.word(), bit = in.word();
        const uint32_t width = in.word();
        std::vector<uint32_t> value((width + 31) / 32);
        for (auto& word : value) word = in.word();
        copy_bits(instances_[target].state + port_of(target, input).offset, bit,
                  reinterpret_cast<const uint8_t*>(value.data()), 0, width);
    }
}

}  // namespace octopus
