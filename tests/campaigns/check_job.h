// One case of the campaign: the files of a random job, re-sliced and compared element by element.
#pragma once

#include <string>

#include "tests/campaigns/random_job.h"

namespace tessera::testing {

/// What happened, for the statistics.
enum class CaseKind { kMoved, kMovedWithoutAll, kLost, kCorrupt, kThereAndBack };

/// Runs the case that `random` makes. Throws std::runtime_error (or what the code under test
/// throws) when something is wrong; `description` then says what the job was.
CaseKind run_case(Random& random, std::string& description);

}  // namespace tessera::testing
