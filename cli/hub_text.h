// Cards for people and for programs.
#pragma once

#include <span>

#include "cli/output.h"
#include "tessera/hub/card.h"

namespace tessera::cli {

/// The card as one object: what `tessera hub list --json` has for each, and index.json of a base
/// URL.
void append_card(Json& out, const hub::Card& card);
/// A line per card, then what is malformed and why.
void print_cards(std::span<const hub::Card> cards);
/// All of one card.
void print_card(const hub::Card& card);
/// Every word is part of the card's uid, names, data set, kind, uses or summary, in any case.
bool has_words(const hub::Card& card, std::span<const std::string> words);

}  // namespace tessera::cli
