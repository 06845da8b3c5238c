// Places nodes with all their routes, lets them take what others have, and makes that dearer until
// nobody shares (negotiated congestion). A node's place and time are those of the cheapest routes
// from all its operands and to all its users; a neighbour that cannot be reached is taken out.
#pragma once

#include <vector>

#include "backward.hpp"
#include "flood.hpp"

namespace octopus {

// How one attempt goes.
struct Manner {
    float noise;      // chance in the prices
    float slack;      // cycles that routes are given between operations, in the first order
    float patience;   // what one more cycle until a node is done costs
    float ejection;   // cost of a neighbour that has to find another place
    float pressure, growth, most;  // of what is taken twice: at first, each round, at most
    float memory;     // how much dearer what is taken twice gets each round
    bool lazily;      // operations on nothing but words of streams are planned late
};

class Search : public EntryRule {
  public:
    const Problem& problem;
    Random random;
    Resources resources;
    Routes routes;
    std::vector<int> routed;  // by edge: the last step of its route in the net's tree, -1: none
    std::vector<int> sources; // by edge: the side from which its consumer takes it, or REGISTER
    long moves = 0;

    Search(const Problem& p, Manner manner, uint64_t seed);
    // Whether everything found a place before `most` moves are made or `deadline` (of clock()).
    bool run(long most, double deadline);
    float price(int node, int port, int time) const override;
    // Resources taken too often, and nodes without a place, at the end.
    int trouble();

  private:
    Manner manner_;
    Forward forward_;
    Backward backward_;
    std::vector<int> rank_, plan_, ejected_;
    std::vector<uint8_t> waiting_, second_;
    std::vector<std::vector<uint8_t>> reach_;  // from a node to another
    bool spare_outputs_;  // no two stores need share a port
    float patience_;

    // order.hpp
    void reach();
    // The word that comes for an offset.
    bool gathers(int store, int load) const {
        const Node &offset = problem.nodes[store], &word = problem.nodes[load];
        return offset.role == STORE && word.role == LOAD && word.pair >= 0 && offset.pair == word.pair;
    }
    bool recurrent(int a, int b) const { return reach_[a][b] && reach_[b][a]; }
    void plan();
    void ranks();
    int next() const;

    // moves.hpp
    bool placed(int node) const { return routes.places[node] >= 0; }
    bool exact(int node) const { return problem.nodes[node].exact || !problem.lenient; }
    int ready(const Net& net) const;
    bool can_enter(int load) const;
    int partner(int store) const;
    void loosen(int node);
    bool move(int node);
    bool settle(int node);
    bool settle_store(int node);
    void put(int node, int place, int time);
    void rip(int node);
    void bind(int store, int port, int time);
    void unbind(int store);
    bool route(int edge, float limit);
    void unroute(int edge);
    void connect(int node);
    void settle_second(int node);
    void predicates(int edge, int sign);
    bool sees(const Edge& edge) const;
    float exit_price(int store, int port, int time) const;
    void bounds(int node, int& low, int& high);
    void operands(int node, int low, int high, std::vector<float>& total);
    void users(int node, int low, int high, std::vector<float>& total);
    void orders(int node, int low, std::vector<float>& total) const;

    // trouble
    bool disturbed(int node) const;
    bool crowded(int net, int index) const;
    bool port_trouble(bool input, int port, int node, int time) const;
};

}  // namespace octopus
