// The search as a library: a task in, a mapping out, both as flat arrays of integers.
#include "search.hpp"

#include <ctime>

#include "moves.hpp"
#include "order.hpp"
#include "settle.hpp"

namespace octopus {

Search::Search(const Problem& p, Manner manner, uint64_t seed)
    : problem(p), random(seed), resources(p, random, manner.noise), routes(p, resources),
      routed(p.edges.size(), -1), sources(p.edges.size(), 0), manner_(manner),
      forward_(p, resources, routes), backward_(p, resources), ejected_(p.nodes.size(), 0),
      waiting_(p.nodes.size(), 0), second_(p.nodes.size(), 0), patience_(manner.patience) {
    for (size_t node = 0; node < p.nodes.size(); node++) waiting_[node] = p.nodes[node].role != LOAD;
    int stores = 0;
    for (const Node& node : p.nodes) stores += node.role == STORE;
    spare_outputs_ = stores <= p.ports;
    reach();
    plan();
    ranks();
}

bool Search::move(int node) {
    moves++;
    if (problem.nodes[node].role == STORE) return settle_store(node);
    if (!settle(node)) return false;
    for (int edge : problem.nodes[node].out) {
        int user = problem.edges[edge].consumer;
        if (problem.nodes[user].role == STORE && waiting_[user] && placed(node)) settle_store(user);
    }
    return true;
}

// A node finds no place beside those around it: they are taken out, and haste is called for.
void Search::loosen(int node) {
    patience_ = std::min(patience_ * 1.1f, 2.0f);
    std::vector<int> near{node};
    for (size_t i = 0; i < near.size() && i < 12; i++) {
        const Node& one = problem.nodes[near[i]];
        for (int edge : one.in) near.push_back(problem.edges[edge].producer);
        if (one.role == LOAD && one.pair >= 0)
            for (size_t store = 0; store < problem.nodes.size(); store++)
                if (problem.nodes[store].role == STORE && problem.nodes[store].pair == one.pair)
                    near.push_back(static_cast<int>(store));
        if (i == 0)
            for (int edge : one.out) near.push_back(problem.edges[edge].consumer);
    }
    for (int other : near)
        if (problem.nodes[other].role != LOAD && chance(random) < 0.6f) rip(other);
}

// A step of a route shares what it takes with others.
bool Search::crowded(int net, int index) const {
    for (; index >= 0; index = routes.trees[net][index].parent) {
        const Step& step = routes.trees[net][index];
        int at = resources.at(step.time, step.place);
        if (step.kind == WIRE) {
            if (resources.link.over(4 * at + step.source)) return true;
            if (resources.select.over(4 * resources.at(step.from, step.place) + step.source)) return true;
        } else if (step.kind == TURN) {
            if (resources.turn.over(at)) return true;
            if (step.source == REGISTER && (resources.second.over(at) || resources.gates.over(at)))
                return true;
        } else if (step.kind == COPY) {
            if (resources.issue.over(at) || resources.gates.over(at)) return true;
        } else if (step.kind == HOLD) {
            if (resources.landing.over(at)) return true;
            for (int time = step.time; time <= step.last; time++)
                if (resources.registers.over(resources.at(time, step.place))) return true;
        } else {
            if (resources.entry.over(problem.slot(step.time) * problem.ports + step.source)) return true;
            if (resources.gates.over(at)) return true;
            if (port_trouble(true, step.source, problem.nets[net].producer, step.time)) return true;
        }
    }
    return false;
}

bool Search::port_trouble(bool input, int port, int node, int time) const {
    for (const PortUse& use : (input ? routes.inputs : routes.outputs)[port]) {
        if (use.node == node && use.time == time) continue;
        if (input && !keep_turns(problem, node, time, use.node, use.time)) return true;
        if (input) continue;
        int apart = use.time > time ? use.time - time : time - use.time;
        if (problem.nodes[use.node].kind != problem.nodes[node].kind) return true;
        if (problem.window > 1 && apart >= problem.interval) return true;
    }
    return false;
}

bool Search::disturbed(int node) const {
    const Node& one = problem.nodes[node];
    if (one.role == STORE && port_trouble(false, routes.places[node], node, routes.times[node]))
        return true;
    if (one.role == COMPUTE) {
        int at = resources.at(routes.times[node], routes.places[node]);
        if (resources.issue.over(at) || resources.gates.over(at)) return true;
        if ((second_[node] || one.guarded) && resources.second.over(at)) return true;
    }
    auto troubled = [&](int edge) {
        const Edge& e = problem.edges[edge];
        if (routed[edge] < 0) return false;
        if (e.operand != PREDICATE) return crowded(e.net, routed[edge]);
        int made = routes.times[e.producer] + problem.nodes[e.producer].latency;
        for (int time = made; time <= routes.times[e.consumer]; time++)
            if (resources.predicate.over(resources.at(time, routes.places[e.producer]))) return true;
        return false;
    };
    for (int edge : one.in)
        if (troubled(edge)) return true;
    for (int edge : one.out)
        if (troubled(edge)) return true;
    return false;
}

int Search::trouble() {
    int sum = resources.remember(0);
    for (size_t node = 0; node < problem.nodes.size(); node++)
        sum += waiting_[node] ? 1 : problem.nodes[node].role != LOAD && disturbed(static_cast<int>(node));
    return sum;
}

bool Search::run(long most, double deadline) {
    resources.press(manner_.pressure);
    float pressure = manner_.pressure;
    auto late = [&]() { return moves > most || clock() / double(CLOCKS_PER_SEC) > deadline; };
    auto fill = [&]() {
        for (int node = next(); node >= 0 && !late(); node = next())
            if (!move(node)) loosen(node);
    };
    while (true) {
        fill();
        if (late()) return false;
        patience_ = std::max(manner_.patience, patience_ * 0.8f);
        resources.remember(manner_.memory);
        std::vector<int> list;
        for (size_t node = 0; node < problem.nodes.size(); node++)
            if (problem.nodes[node].role != LOAD && placed(static_cast<int>(node)) &&
                disturbed(static_cast<int>(node)))
                list.push_back(static_cast<int>(node));
        if (list.empty()) return trouble() == 0;
        pressure = std::min(pressure * manner_.growth, manner_.most);
        resources.press(pressure);
        for (size_t i = list.size(); i > 1; i--) std::swap(list[i - 1], list[random() % i]);
        for (int node : list) {
            if (late()) return false;
            if (!placed(node) || !disturbed(node)) continue;
            rip(node);
            fill();
        }
    }
}

}  // namespace octopus

using namespace octopus;

namespace {

void write_route(const Search& search, int edge, std::vector<int32_t>& out) {
    const Edge& one = search.problem.edges[edge];
    if (one.operand == PREDICATE) {
        out.insert(out.end(), {0, 0, 0});
        return;
    }
    const auto& tree = search.routes.trees[one.net];
    std::vector<const Step*> steps;
    for (int index = search.routed[edge]; index >= 0; index = tree[index].parent)
        steps.push_back(&tree[index]);
    bool held = search.sources[edge] == REGISTER;
    out.push_back(static_cast<int32_t>(steps.size()));
    out.push_back(search.sources[edge]);
    out.push_back(held ? steps.front()->time : 0);
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
        const Step& s = **step;
        bool reads = (s.kind == TURN || s.kind == COPY) && s.source == REGISTER;
        out.insert(out.end(), {s.kind, s.place, s.time, s.source, s.from, s.how,
                               reads ? tree[s.parent].time : 0});
    }
}

}  // namespace

// Returns the number of integers in `result` (the mapping), or 0 if none was found, or minus the
// number needed. `figures`: moves made, troubles left.
extern "C" long octopus_search(const int32_t* task, const float* manner, uint64_t seed, long moves,
                               double seconds, int32_t* result, long room, long* figures) {
    Problem problem(task);
    Manner how{manner[0], manner[1], manner[2], manner[3], manner[4], manner[5], manner[6],
               manner[7], manner[8] > 0};
    Search search(problem, how, seed);
    double deadline = clock() / double(CLOCKS_PER_SEC) + seconds;
    bool found = search.run(moves, deadline);
    figures[0] = search.moves;
    figures[1] = search.trouble();
    if (!found) return 0;
    std::vector<int32_t> out;
    for (size_t node = 0; node < problem.nodes.size(); node++) {
        out.push_back(search.routes.places[node]);
        out.push_back(search.routes.times[node]);
    }
    for (size_t edge = 0; edge < problem.edges.size(); edge++)
        write_route(search, static_cast<int>(edge), out);
    long size = static_cast<long>(out.size());
    if (size > room) return -size;
    std::copy(out.begin(), out.end(), result);
    return size;
}
