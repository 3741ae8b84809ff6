# Every library outside Tessera, by its Debian package: docs/architecture.md says who includes which.
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)         # libfmt-dev
find_package(simdjson REQUIRED)    # libsimdjson-dev
find_package(OpenSSL REQUIRED)     # libssl-dev
find_package(ZLIB REQUIRED)        # zlib1g-dev
find_package(PNG REQUIRED)         # libpng-dev
find_package(JPEG REQUIRED)        # libjpeg62-turbo-dev
find_package(OpenCVImgproc REQUIRED) # libopencv-imgproc-dev
find_package(CURL REQUIRED)        # libcurl4-openssl-dev
find_package(yaml-cpp REQUIRED)    # libyaml-cpp-dev
find_package(dnnl REQUIRED)        # libdnnl-dev
find_package(CLI11 REQUIRED)       # libcli11-dev
# Optional: libopenmpi-dev. TESSERA_MPI_OTHER is the source file of the layer comm that is not built.
set(TESSERA_MPI_LIBRARY "")
set(TESSERA_MPI_PACKAGE "") # what an installed Tessera finds again
set(TESSERA_MPI_OTHER mpi.cc)
if(TESSERA_MPI)
  find_package(MPI QUIET COMPONENTS CXX)
  if(MPI_CXX_FOUND)
    set(TESSERA_MPI_LIBRARY MPI::MPI_CXX)
    set(TESSERA_MPI_PACKAGE MPI)
    set(TESSERA_MPI_OTHER no_mpi.cc)
  endif()
endif()
message(STATUS "Ranks of mpirun: comm is built without ${TESSERA_MPI_OTHER}")
if(TESSERA_TESTS)
  find_package(GTest REQUIRED)     # libgtest-dev
endif()
if(TESSERA_BENCH)
  find_package(benchmark REQUIRED) # libbenchmark-dev
endif()
