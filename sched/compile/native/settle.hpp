// Where and when a node is best done, as prices are.
#pragma once

#include "search.hpp"

namespace octopus {

// The times that are looked at.
inline void Search::bounds(int node, int& low, int& high) {
    const Node& one = problem.nodes[node];
    int reach = problem.rows + problem.columns, interval = problem.interval;
    int early = -(1 << 20), late = 1 << 20;
    for (int edge : one.in) {
        const Edge& in = problem.edges[edge];
        int gap = problem.nodes[in.producer].latency - in.distance * interval;
        if (in.producer != node && problem.nodes[in.producer].role == COMPUTE && placed(in.producer))
            early = std::max(early, routes.times[in.producer] + gap);
        if (problem.nodes[in.producer].role == LOAD && problem.nodes[in.producer].pair >= 0)
            for (size_t store = 0; store < problem.nodes.size(); store++)
                if (problem.nodes[store].role == STORE && placed(static_cast<int>(store)) &&
                    problem.nodes[store].pair == problem.nodes[in.producer].pair)
                    early = std::max(early, routes.times[store] + 1);
    }
    for (int edge : one.out) {
        const Edge& out = problem.edges[edge];
        if (out.consumer != node && problem.nodes[out.consumer].role == COMPUTE && placed(out.consumer))
            late = std::min(late, routes.times[out.consumer] + out.distance * interval - one.latency);
    }
    for (const Order& order : problem.orders) {
        int gap = order.cycles - order.distance * interval;
        if (order.second == node && placed(order.first))
            early = std::max(early, routes.times[order.first] + gap);
        if (order.first == node && placed(order.second))
            late = std::min(late, routes.times[order.second] - gap);
    }
    bool after = early > -(1 << 20), before = late < (1 << 20);
    int width = interval + reach + 2;
    if (!after && !before) {
        low = plan_[node], high = low + width;
    } else if (!before) {
        low = early, high = early + width;
    } else if (!after || (late < early + 2 && chance(random) < 0.3f)) {
        low = late - width, high = late;
    } else {
        low = early, high = std::max(std::min(late, early + width + interval), early + interval + 1);
    }
    low = std::max(low, 0), high = std::max(high, 0);
    if (problem.strict) {
        int end = problem.window * interval - 1;
        high = std::min(high, end), low = std::min(low, std::max(0, end - width));
    }
}

inline void Search::operands(int node, int low, int high, std::vector<float>& total) {
    std::vector<int> seen;
    for (int edge : problem.nodes[node].in) {
        const Edge& one = problem.edges[edge];
        const Node& maker = problem.nodes[one.producer];
        if (one.producer == node) continue;
        float limit = manner_.ejection * (1 + 0.3f * static_cast<float>(ejected_[one.producer]));
        if (one.operand == PREDICATE) {
            if (!placed(one.producer)) continue;
            int made = routes.times[one.producer] + maker.latency;
            for (int time = low; time <= high; time++)
                for (int place = 0; place < problem.places; place++) {
                    bool good = place == routes.places[one.producer] && time >= made &&
                                time < made + problem.interval;
                    if (!good) total[(time - low) * problem.places + place] += limit;
                }
            continue;
        }
        if (std::find(seen.begin(), seen.end(), one.net) != seen.end()) continue;
        seen.push_back(one.net);
        int begin;
        if (maker.role == LOAD) {
            if (!can_enter(one.producer)) continue;
            limit = NEVER, begin = std::max(0, low - problem.rows - problem.columns);
            if (maker.pair >= 0) begin = std::max(0, begin - 24);
        } else {
            if (!placed(one.producer)) continue;
            begin = ready(problem.nets[one.net]);
        }
        forward_.run(one.net, begin, high, *this);
        for (int time = low; time <= high; time++)
            for (int place = 0; place < problem.places; place++)
                total[(time - low) * problem.places + place] +=
                    std::min(limit, forward_.cost(place, time));
    }
}

inline void Search::users(int node, int low, int high, std::vector<float>& total) {
    const Node& one = problem.nodes[node];
    for (int edge : one.out) {
        const Edge& out = problem.edges[edge];
        const Node& user = problem.nodes[out.consumer];
        if (out.consumer == node) continue;
        float limit = manner_.ejection * (1 + 0.3f * static_cast<float>(ejected_[out.consumer]));
        if (user.role == STORE) {
            for (size_t i = 0; i < total.size(); i++) {
                int place = static_cast<int>(i) % problem.places;
                total[i] += 0.4f * static_cast<float>(std::min(problem.row(place), problem.column(place)));
            }
            continue;
        }
        if (!placed(out.consumer)) continue;
        int place = routes.places[out.consumer], used = routes.times[out.consumer];
        if (out.operand != PREDICATE) {
            int begin = low + one.latency - out.distance * problem.interval;
            backward_.run(place, used, begin, !one.guarded);
        }
        for (int time = low; time <= high; time++)
            for (int there = 0; there < problem.places; there++) {
                float cost;
                if (out.operand == PREDICATE) {
                    int made = time + one.latency;
                    bool good = there == place && used >= made && used < made + problem.interval;
                    cost = good ? 0 : NEVER;
                } else {
                    cost = backward_.cost(there, time, one.latency, out.distance);
                }
                total[(time - low) * problem.places + there] += std::min(limit, cost);
            }
    }
}

inline void Search::orders(int node, int low, std::vector<float>& total) const {
    for (const Order& order : problem.orders) {
        int gap = order.cycles - order.distance * problem.interval;
        bool first = order.first == node;
        if ((!first && order.second != node) || !placed(first ? order.second : order.first)) continue;
        for (size_t i = 0; i < total.size(); i++) {
            int time = low + static_cast<int>(i) / problem.places;
            bool good = first ? routes.times[order.second] >= time + gap
                              : time >= routes.times[order.first] + gap;
            if (!good) total[i] += manner_.ejection;
        }
    }
}

// Puts a node where it costs least; false if there is no such place.
inline bool Search::settle(int node) {
    const Node& one = problem.nodes[node];
    int low, high;
    bounds(node, low, high);
    if (high < low) return false;
    std::vector<float> total(static_cast<size_t>(high - low + 1) * problem.places);
    int end = problem.window * problem.interval;
    for (int time = low; time <= high; time++)
        for (int place = 0; place < problem.places; place++) {
            int at = resources.at(time, place);
            float& cost = total[(time - low) * problem.places + place];
            cost = resources.issue.price[at] + manner_.noise * chance(random);
            cost += resources.gate(time, place, exact(node)) + patience_ * static_cast<float>(time - low);
            if (one.exact && problem.window > 1 && time >= end) cost += 3;
            if (!problem.able[one.group * problem.places + place]) cost = NEVER;
        }
    operands(node, low, high, total);
    users(node, low, high, total);
    orders(node, low, total);
    size_t best = 0;
    for (size_t i = 1; i < total.size(); i++)
        if (total[i] < total[best]) best = i;
    if (total[best] >= NEVER) return false;
    put(node, static_cast<int>(best) % problem.places, low + static_cast<int>(best) / problem.places);
    connect(node);
    return true;
}

}  // namespace octopus
