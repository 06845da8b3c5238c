// Putting nodes down and taking them out, with their routes.
#pragma once

#include "search.hpp"

namespace octopus {

inline int Search::ready(const Net& net) const {
    int latency = problem.nodes[net.producer].latency;
    return routes.times[net.producer] + latency - net.distance * problem.interval;
}

inline bool Search::can_enter(int load) const {
    int pair = problem.nodes[load].pair;
    if (pair < 0) return true;
    for (size_t store = 0; store < problem.nodes.size(); store++)
        if (problem.nodes[store].role == STORE && problem.nodes[store].pair == pair)
            return placed(static_cast<int>(store));
    return true;
}

// The other store of a scatter, -1: none.
inline int Search::partner(int store) const {
    const Node& one = problem.nodes[store];
    if (one.role != STORE || one.pair < 0) return -1;
    for (size_t other = 0; other < problem.nodes.size(); other++)
        if (static_cast<int>(other) != store && problem.nodes[other].role == STORE &&
            problem.nodes[other].pair == one.pair)
            return static_cast<int>(other);
    return -1;
}

// Of the word of `node` coming in at a port and time.
inline float Search::price(int node, int port, int time) const {
    const Node& one = problem.nodes[node];
    int end = problem.window * problem.interval, place = problem.port_place(port);
    if (time < 0) return NEVER;
    if (problem.window > 1 && (problem.strict || one.pair >= 0) && time >= end) return NEVER;
    float sum = resources.entry.price[problem.slot(time) * problem.ports + port];
    sum += resources.gate(time, place, true);
    for (const PortUse& use : routes.inputs[port])
        if (!keep_turns(problem, node, time, use.node, use.time)) sum += resources.pressure;
    if (one.pair >= 0) {
        for (size_t store = 0; store < problem.nodes.size(); store++)
            if (problem.nodes[store].role == STORE && problem.nodes[store].pair == one.pair) {
                int offset = routes.times[store];
                if (routes.places[store] != port || time <= offset) return NEVER;
                sum += 0.5f * static_cast<float>(std::max(0, offset + 6 - time));
            }
    }
    bool entered = false;
    for (int out : one.out)
        if (problem.edges[out].net >= 0)
            for (const Step& step : routes.trees[problem.edges[out].net])
                entered |= step.live && step.kind == ENTRY;
    if (entered && (!problem.split || one.pair >= 0)) return NEVER;
    return entered ? sum + 1.5f : sum;
}

inline float Search::exit_price(int store, int port, int time) const {
    const Node& node = problem.nodes[store];
    if (problem.strict_ends && time >= problem.window * problem.interval) return NEVER;
    float sum = 0;
    bool gather = false;
    if (node.pair >= 0)
        for (size_t other = 0; other < problem.nodes.size(); other++) {
            const Node& one = problem.nodes[other];
            if (static_cast<int>(other) == store || one.pair != node.pair) continue;
            gather |= one.role == LOAD;
            if (one.role != STORE || !placed(static_cast<int>(other))) continue;
            int first = node.parts ? routes.times[other] : time;
            int second = node.parts ? time : routes.times[other];
            if (routes.places[other] != port || second <= first || second - first >= problem.interval)
                return NEVER;
        }
    for (const PortUse& use : routes.outputs[port]) {
        int apart = use.time > time ? use.time - time : time - use.time;
        // A word on the edge is for one store, though a link brings a value to any number.
        int net = problem.edges[node.in[0]].net;
        bool same = problem.edges[problem.nodes[use.node].in[0]].net == net;
        if (same && use.node != store && apart % problem.interval == 0) return NEVER;
        bool alike = problem.nodes[use.node].kind == node.kind;
        bool near = problem.window == 1 || apart < problem.interval;
        sum += !alike || !near ? 3 * resources.pressure : spare_outputs_ ? 8.0f : 2.0f;
    }
    for (const PortUse& use : routes.inputs[port])
        if (gather && problem.nodes[use.node].pair != node.pair) sum += 3 * resources.pressure;
    return sum;
}

inline void Search::put(int node, int place, int time) {
    routes.places[node] = place, routes.times[node] = time;
    resources.issue.take(resources.at(time, place));
    resources.gates.take(resources.at(time, place), time, exact(node));
    if (problem.nodes[node].guarded) resources.second.take(resources.at(time, place));
    waiting_[node] = 0;
}

inline void Search::rip(int node) {
    const Node& one = problem.nodes[node];
    if (!placed(node)) return;
    if (one.role == STORE) {
        unbind(node);
        return;
    }
    for (int edge : one.out) {
        int user = problem.edges[edge].consumer;
        if (problem.nodes[user].role == STORE) unbind(user);
        else unroute(edge);
    }
    for (int edge : one.in) unroute(edge);
    int place = routes.places[node], time = routes.times[node];
    resources.issue.give(resources.at(time, place));
    resources.gates.give(resources.at(time, place), time, exact(node));
    if (one.guarded) resources.second.give(resources.at(time, place));
    if (second_[node]) resources.second.give(resources.at(time, place)), second_[node] = 0;
    routes.places[node] = -1;
    waiting_[node] = 1;
}

inline void Search::bind(int store, int port, int time) {
    routes.places[store] = port, routes.times[store] = time;
    routes.outputs[port].push_back({store, time});
    waiting_[store] = 0;
}

// Takes a store's route; what depends on its port loses its own.
inline void Search::unbind(int store) {
    if (!placed(store)) return;
    int port = routes.places[store];
    unroute(problem.nodes[store].in[0]);
    auto& list = routes.outputs[port];
    for (size_t i = 0; i < list.size(); i++)
        if (list[i].node == store) {
            list.erase(list.begin() + static_cast<long>(i));
            break;
        }
    routes.places[store] = -1;
    waiting_[store] = 1;
    int pair = problem.nodes[store].pair;
    if (pair < 0) return;
    for (size_t other = 0; other < problem.nodes.size(); other++) {
        const Node& one = problem.nodes[other];
        if (one.pair != pair || static_cast<int>(other) == store) continue;
        if (one.role == STORE && one.parts) unbind(static_cast<int>(other));
        if (one.role == LOAD)
            for (int edge : one.out) {
                int user = problem.edges[edge].consumer;
                if (routed[edge] >= 0) rip(user);
            }
    }
}

inline void Search::unroute(int edge) {
    const Edge& one = problem.edges[edge];
    if (routed[edge] < 0) return;
    if (one.operand == PREDICATE) {
        predicates(edge, -1);
        routed[edge] = -1;
        return;
    }
    int index = routed[edge];
    routed[edge] = -1;
    std::vector<int> readers;
    for (int other : problem.nets[one.net].edges)
        if (routed[other] >= 0 && sources[other] == REGISTER) {
            readers.push_back(routed[other]);
            readers.push_back(routes.times[problem.edges[other].consumer]);
        }
    routes.detach(one.net, index, readers);
    settle_second(one.consumer);
}

// Finds the cheapest route to a consumer that has its place; false if it costs more than `limit`.
inline bool Search::route(int edge, float limit) {
    const Edge& one = problem.edges[edge];
    if (one.operand == PREDICATE) {
        if (!sees(one)) return false;
        routed[edge] = 0;
        predicates(edge, +1);
        return true;
    }
    int place = routes.places[one.consumer], time = routes.times[one.consumer];
    const Net& net = problem.nets[one.net];
    int begin = ready(net);
    if (problem.nodes[one.producer].role == LOAD) {
        begin = std::max(0, time - problem.rows - problem.columns - problem.interval);
        if (problem.nodes[one.producer].pair >= 0) begin = std::max(0, begin - 24);
    }
    if (time < begin) return false;
    forward_.run(one.net, begin, time, *this, place);
    if (forward_.cost(place, time) >= std::min(limit, NEVER)) return false;
    routed[edge] = forward_.take(one.net, place, time, sources[edge]);
    routes.attach(one.net, routed[edge], time);
    settle_second(one.consumer);
    return true;
}

// The second register port: for operand b, or for both operands.
inline void Search::settle_second(int node) {
    const Node& one = problem.nodes[node];
    if (one.role != COMPUTE || !placed(node)) return;
    int from[2] = {-1, -1};
    for (int edge : one.in)
        if (routed[edge] >= 0 && problem.edges[edge].operand >= 0 && problem.edges[edge].operand < 2)
            from[problem.edges[edge].operand] = sources[edge];
    bool needed = one.operands > 1 && from[1] == REGISTER && (from[0] == REGISTER || !one.commutative);
    if (needed == static_cast<bool>(second_[node])) return;
    int at = resources.at(routes.times[node], routes.places[node]);
    if (needed) resources.second.take(at);
    else resources.second.give(at);
    second_[node] = needed;
}

inline bool Search::sees(const Edge& edge) const {
    int made = routes.times[edge.producer] + problem.nodes[edge.producer].latency;
    int used = routes.times[edge.consumer];
    return routes.places[edge.producer] == routes.places[edge.consumer] && used >= made &&
           used < made + problem.interval;
}

// The predicate bit is taken from its making to its use.
inline void Search::predicates(int edge, int sign) {
    const Edge& one = problem.edges[edge];
    int made = routes.times[one.producer] + problem.nodes[one.producer].latency;
    for (int time = made; time <= routes.times[one.consumer]; time++) {
        int at = resources.at(time, routes.places[one.producer]);
        if (sign > 0) resources.predicate.take(at);
        else resources.predicate.give(at);
    }
}

// Routes to and from all neighbours that have a place; those that cannot be reached lose theirs.
inline void Search::connect(int node) {
    const Node& one = problem.nodes[node];
    auto far = [&](int edge, int other) {
        float limit = manner_.ejection * (1 + 0.3f * static_cast<float>(ejected_[other]));
        if (route(edge, limit)) return;
        ejected_[other]++;
        rip(other);
    };
    for (int edge : one.in) {
        int maker = problem.edges[edge].producer;
        if (!placed(node)) return;
        if (routed[edge] >= 0 || maker == node) continue;
        if (problem.nodes[maker].role == LOAD) {
            if (can_enter(maker) && !route(edge, NEVER)) rip(node);
        } else if (placed(maker)) {
            far(edge, maker);
        }
    }
    for (int edge : one.out) {
        int user = problem.edges[edge].consumer;
        if (!placed(node)) return;
        if (routed[edge] >= 0 || !placed(user) || problem.nodes[user].role != COMPUTE) continue;
        if (user == node) {
            if (!route(edge, NEVER)) rip(node);
        } else {
            far(edge, user);
        }
    }
    for (const Order& order : problem.orders) {
        if (order.first != node && order.second != node) continue;
        if (!placed(order.first) || !placed(order.second)) continue;
        int gap = order.cycles - order.distance * problem.interval;
        if (routes.times[order.second] < routes.times[order.first] + gap) {
            int other = order.first == node ? order.second : order.first;
            ejected_[other]++;
            rip(other);
        }
    }
}

inline bool Search::settle_store(int node) {
    int edge = problem.nodes[node].in[0];
    const Edge& one = problem.edges[edge];
    const Net& net = problem.nets[one.net];
    int reach = problem.rows + problem.columns, begin;
    if (problem.nodes[one.producer].role == LOAD) {
        if (!can_enter(one.producer)) return false;
        begin = std::max(0, plan_[node] - reach);
        for (const Step& step : routes.trees[one.net])
            if (step.live && step.kind == ENTRY) begin = std::min(begin, step.time);
    } else {
        if (!placed(one.producer)) return false;
        begin = ready(net);
    }
    int from = std::max(0, begin), last = from + reach + problem.interval + 4;
    int other_half = partner(node);
    if (other_half >= 0 && problem.nodes[node].parts) {
        if (placed(other_half)) last = std::max(last, routes.times[other_half] + problem.interval);
    } else if (other_half >= 0) {  // the offset leaves less than an interval before the data
        const Edge& data = problem.edges[problem.nodes[other_half].in[0]];
        if (placed(data.producer) && problem.nodes[data.producer].role == COMPUTE) {
            int wanted = ready(problem.nets[data.net]) + 3 - problem.interval;
            from = std::max(from, wanted), last = std::max(last, from + reach + problem.interval);
        }
    }
    forward_.run(one.net, begin, last, *this, -1, true);
    float best = NEVER;
    int best_port = -1, best_time = 0;
    for (int port = 0; port < problem.ports; port++)
        for (int time = from; time <= last; time++) {
            float cost = forward_.link_cost(problem.port_place(port), problem.port_side(port), time);
            if (cost >= NEVER) continue;
            cost += exit_price(node, port, time) + 0.1f * static_cast<float>(time - from);
            cost += manner_.noise * chance(random);
            if (cost < best) best = cost, best_port = port, best_time = time;
        }
    if (best_port < 0) {
        if (other_half >= 0) unbind(other_half);
        return false;
    }
    bind(node, best_port, best_time);
    int side = problem.port_side(best_port);
    routed[edge] = forward_.leave(one.net, problem.port_place(best_port), side, best_time);
    sources[edge] = side;
    routes.attach(one.net, routed[edge], best_time);
    int pair = problem.nodes[node].pair;
    for (size_t other = 0; pair >= 0 && other < problem.nodes.size(); other++)
        if (problem.nodes[other].pair == pair && problem.nodes[other].role == LOAD)
            for (int out : problem.nodes[other].out) {
                int user = problem.edges[out].consumer;
                bool there = placed(user) && problem.nodes[user].role == COMPUTE;
                if (there && routed[out] < 0 && !route(out, NEVER)) ejected_[user]++, rip(user);
            }
    return true;
}

}  // namespace octopus
