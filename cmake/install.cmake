# Installs the program, the libraries, the headers and what find_package(tessera) needs.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS tessera ${TESSERA_LAYERS} EXPORT tessera
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS tessera_cli)
install(EXPORT tessera NAMESPACE tessera:: FILE tessera-targets.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/tessera)
configure_package_config_file(cmake/tessera-config.cmake.in
  ${CMAKE_BINARY_DIR}/tessera-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/tessera)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/tessera-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/tessera-config.cmake ${CMAKE_BINARY_DIR}/tessera-config-version.cmake cmake/FindOpenCVImgproc.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/tessera)
