// A placed graph as a picture: a box per node and per step between layouts, an edge per value that
// goes from one to another. Parameters are lines in the boxes that read them.
//
//   const Drawing drawing = draw(place(graph, options));
//   write(to_dot(drawing));  // for Graphviz
//   write(to_svg(drawing));  // drawn here: boxes in rows by depth, from top to bottom
#pragma once

#include <string>
#include <vector>

#include "tessera/passes/place.h"

namespace tessera {

struct Drawing {
  enum class Kind : uint8_t {
    kEnd,         // an input or output of the graph
    kProduct,     // a node that multiplies matrices or convolves
    kNode,        // any other
    kCut,         // each rank keeps a part of what it has
    kCollective,  // ranks send to each other, in every run
    kOnce,        // the same, once when the program is compiled
  };
  struct Item {
    Kind kind = Kind::kNode;
    std::vector<std::string> lines;
    int stage = 0;
  };
  struct Edge {
    size_t from = 0;  // items; from is always before to
    size_t to = 0;
    bool operator==(const Edge&) const = default;
  };

  std::string title;
  std::vector<Item> items;  // in the order in which they run
  std::vector<Edge> edges;
  int stages = 1;
};

Drawing draw(const Placed& placed);
/// "#rrggbb", the filling of an item: by its stage where there are several, else by its kind;
/// collectives always look the same.
std::string fill_of(const Drawing& drawing, const Drawing::Item& item);
/// Text in the DOT language.
std::string to_dot(const Drawing& drawing);
/// An SVG 1.1 document.
std::string to_svg(const Drawing& drawing);

}  // namespace tessera
