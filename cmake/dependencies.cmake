# Every library outside Tessera, by its Debian package: docs/architecture.md says who includes which.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)         # libfmt-dev
find_package(simdjson REQUIRED)    # libsimdjson-dev
find_package(OpenSSL REQUIRED)     # libssl-dev
find_package(ZLIB REQUIRED)        # zlib1g-dev
find_package(PNG REQUIRED)         # libpng-dev
find_package(dnnl REQUIRED)        # libdnnl-dev
find_package(CLI11 REQUIRED)       # libcli11-dev
if(TESSERA_TESTS)
  find_package(GTest REQUIRED)     # libgtest-dev
endif()
if(TESSERA_BENCH)
  find_package(benchmark REQUIRED) # libbenchmark-dev
endif()
