# The file system is the registry. tessera_registry(ops) lists tessera/ops/*.cc and writes
# gen/tessera/ops_files.inc with one TESSERA_FILE(name) per file; with FOLDER cpu it lists
# tessera/ops/cpu/*.cc and writes gen/tessera/ops_cpu_files.inc. Code that is no entry of the
# registry lives in a folder internal/ beside the entries.
function(tessera_registry layer)
  cmake_parse_arguments(arg "" "FOLDER" "" ${ARGN})
  set(folder ${CMAKE_SOURCE_DIR}/tessera/${layer})
  set(name ${layer})
  if(arg_FOLDER)
    string(APPEND folder /${arg_FOLDER})
    string(REPLACE / _ folder_name ${arg_FOLDER})
    string(APPEND name _${folder_name})
  endif()
  file(GLOB files CONFIGURE_DEPENDS ${folder}/*.cc)
  list(FILTER files EXCLUDE REGEX "_test\\.cc$")
  set(text "")
  foreach(file ${files})
    cmake_path(GET file STEM entry)
    string(APPEND text "TESSERA_FILE(${entry})\n")
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/gen/tessera/${name}_files.inc CONTENT "${text}")
endfunction()
