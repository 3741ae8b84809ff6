#include <cstdlib>

#include "tessera/base/text.h"
#include "tessera/model/auto_parallel_context.h"
#include "tessera/model/internal/context_key.h"

namespace tessera {
namespace {

using Key = internal::ContextKey<RunOptions>;
constexpr std::string_view kOneDevice = "this program runs on the processor it is started on";
constexpr std::string_view kExplain = "explain prints graphs, their layouts and their memory";
constexpr std::string_view kBuffers = "buffers are planned when a graph is compiled";
constexpr std::string_view kNoCache = "graphs compile in milliseconds and are not kept on disk";
constexpr std::string_view kNoPython = "networks are graphs, not Python code";

void set_mode(RunOptions&, std::string_view text) {
  if (text == "1" || text == "PYNATIVE_MODE")
    fail(ErrorCode::kUnsupported, "PYNATIVE_MODE is refused: {}", kNoPython);
  require(text == "0" || text == "GRAPH_MODE", "'{}'; wanted GRAPH_MODE or 0", printable(text));
}

void set_target(RunOptions&, std::string_view text) {
  if (text == "Ascend" || text == "GPU")
    fail(ErrorCode::kUnsupported, "{} is refused: {}", text, kOneDevice);
  require(text == "CPU", "'{}'; wanted CPU", printable(text));
}

void set_deterministic(RunOptions& options, std::string_view text) {
  require(text == "ON" || text == "OFF", "'{}'; wanted ON or OFF", printable(text));
  options.deterministic = text == "ON";
}

/// MindSpore's form: "30GB", "3.5GB".
void set_memory(RunOptions& options, std::string_view text) {
  constexpr double kMost = 1 << 20;
  const std::string number(text.substr(0, text.size() - std::min<size_t>(2, text.size())));
  char* end = nullptr;
  const double size = std::strtod(number.c_str(), &end);
  require(text.ends_with("GB") && !number.empty() && *end == 0 && size > 0 && size <= kMost,
          "'{}'; wanted a size above 0 like 30GB", printable(text));
  if (!options.search && text != "1024GB")
    fail(
        ErrorCode::kUnsupported,
        "{} is refused: it limits the placements that auto_parallel looks for, and this is another "
        "mode",
        text);
  if (options.search)
    options.search->memory_limit = static_cast<int64_t>(size * (int64_t{1} << 30));
}

const std::vector<Key>& keys() {
  constexpr int kMostThreads = 4096;
  static const std::vector<Key> table = {
      {"mode", set_mode},
      {"device_target", set_target},
      {"deterministic", set_deterministic},
      {"runtime_num_threads",
       [](RunOptions& o, std::string_view t) {
         o.threads = internal::to_number(t, 0, kMostThreads);
       }},
      {"device_id", nullptr, "0", kOneDevice},
      {"max_device_memory", set_memory},
      {"mempool_block_size", nullptr, "1GB", kBuffers},
      {"memory_optimize_level", nullptr, "O0", kBuffers},
      {"memory_offload", nullptr, "OFF", kBuffers},
      {"variable_memory_max_size", nullptr, "30GB", kBuffers},
      {"save_graphs", nullptr, "False", kExplain},
      {"save_graphs_path", nullptr, ".", kExplain},
      {"print_file_path", nullptr, "", kExplain},
      {"enable_dump", nullptr, "False", kExplain},
      {"save_dump_path", nullptr, "", kExplain},
      {"enable_profiling", nullptr, "False", kExplain},
      {"profiling_options", nullptr, "", kExplain},
      {"enable_compile_cache", nullptr, "False", kNoCache},
      {"compile_cache_path", nullptr, ".", kNoCache},
      {"max_call_depth", nullptr, "1000", kNoPython},
      {"check_bprop", nullptr, "False", kNoPython},
      {"grad_for_scalar", nullptr, "False", kNoPython},
      {"support_binary", nullptr, "False", kNoPython},
      {"pynative_synchronize", nullptr, "False", kNoPython},
      {"jit_config", nullptr, "{}", kNoPython},
      {"jit_syntax_level", nullptr, "2", kNoPython},
      {"enable_reduce_precision", nullptr, "True", "precision is never reduced"},
      {"enable_graph_kernel", nullptr, "False", "operators are fused in any case"},
      {"graph_kernel_flags", nullptr, "", "operators are fused in any case"},
      {"enable_sparse", nullptr, "False", kNoPython},
      {"env_config_path", nullptr, "", kOneDevice},
      {"auto_tune_mode", nullptr, "NO_TUNE", kOneDevice},
      {"ascend_config", nullptr, "{}", kOneDevice},
      {"gpu_config", nullptr, "{}", kOneDevice},
      {"aoe_tune_mode", nullptr, "", kOneDevice},
      {"aoe_config", nullptr, "{}", kOneDevice},
      {"inter_op_parallel_num", nullptr, "0", "runtime_num_threads is for all of the work"},
  };
  return table;
}

}  // namespace

void set_context(RunOptions& options, std::string_view key, std::string_view text) {
  internal::set_by_key<RunOptions>(keys(), options, key, trim(text));
}

}  // namespace tessera
