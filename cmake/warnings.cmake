add_library(tessera_warnings INTERFACE)
# -Wrestrict: g++ 12 reports std::string concatenation that is right (GCC bug 105651).
target_compile_options(tessera_warnings INTERFACE -Wall -Wextra -Wpedantic
  -Wno-missing-field-initializers $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict;-Wshadow=local>
  $<$<BOOL:${TESSERA_WERROR}>:-Werror>)
