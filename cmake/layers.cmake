# tessera_layer(name): the folder tessera/<name>, without the files WITHOUT, as a library that links what
# tools/layers.txt says, and its *_test.cc as one test program. tessera_umbrella(): the target tessera, all layers together.

file(STRINGS ${CMAKE_SOURCE_DIR}/tools/layers.txt TESSERA_LAYER_LINES REGEX "^[a-z]+:")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS tools/layers.txt)
set(TESSERA_LAYERS "" CACHE INTERNAL "")

function(tessera_layer_below name out)
  foreach(line ${TESSERA_LAYER_LINES})
    if(line MATCHES "^${name}:(.*)$")
      separate_arguments(below UNIX_COMMAND "${CMAKE_MATCH_1}")
      list(TRANSFORM below PREPEND tessera_)
      set(${out} ${below} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "tools/layers.txt has no line for ${name}")
endfunction()

function(tessera_layer name)
  cmake_parse_arguments(arg "" "" "LIBRARIES;WITHOUT;TEST_LIBRARIES" ${ARGN})
  set(folder ${CMAKE_SOURCE_DIR}/tessera/${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(TRANSFORM arg_WITHOUT PREPEND ${folder}/)
  list(REMOVE_ITEM sources ${arg_WITHOUT})
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${folder}/*.h)
  tessera_layer_below(${name} below)

  set(target tessera_${name})
  add_library(${target} ${sources})
  add_library(tessera::${name} ALIAS ${target})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR} FILES ${headers})
  target_include_directories(${target} PRIVATE ${CMAKE_BINARY_DIR}/gen)
  target_link_libraries(${target} PUBLIC ${below} fmt::fmt PRIVATE Threads::Threads ${arg_LIBRARIES}
    $<BUILD_INTERFACE:tessera_warnings>)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} VERIFY_INTERFACE_HEADER_SETS ON)
  set(TESSERA_LAYERS ${TESSERA_LAYERS} ${target} CACHE INTERNAL "")

  if(TESSERA_TESTS AND tests)
    tessera_test(${name}_test SOURCES ${tests} LIBRARIES ${target} ${arg_TEST_LIBRARIES} LABEL unit)
  endif()
endfunction()

# tessera_test(program SOURCES … LIBRARIES … LABEL unit|golden|sweep|end_to_end|ranks): a GoogleTest program
# whose cases ctest lists one by one. TESSERA_SOURCE_DIR and TESSERA_PROGRAM reach it by environment.
function(tessera_test program)
  cmake_parse_arguments(arg "" "LABEL" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${program} ${arg_SOURCES})
  target_include_directories(${program} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${program} PRIVATE ${arg_LIBRARIES} tessera_test_support
    GTest::gtest_main tessera_warnings)
  include(GoogleTest)
  gtest_discover_tests(${program} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    PROPERTIES LABELS ${arg_LABEL} TIMEOUT 600
    ENVIRONMENT TESSERA_SOURCE_DIR=${CMAKE_SOURCE_DIR}
    ENVIRONMENT_MODIFICATION TESSERA_PROGRAM=set:${CMAKE_BINARY_DIR}/tessera)
endfunction()

function(tessera_umbrella)
  add_library(tessera INTERFACE)
  add_library(tessera::tessera ALIAS tessera)
  target_link_libraries(tessera INTERFACE ${TESSERA_LAYERS})
endfunction()
