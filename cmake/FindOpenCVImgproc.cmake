# OpenCVImgproc: what libopencv-imgproc-dev holds, without the rest of OpenCV that find_package(OpenCV) wants.
find_path(OpenCVImgproc_INCLUDE opencv2/imgproc.hpp PATH_SUFFIXES opencv4)
find_library(OpenCVImgproc_LIBRARY opencv_imgproc)
find_library(OpenCVImgproc_CORE opencv_core)
mark_as_advanced(OpenCVImgproc_INCLUDE OpenCVImgproc_LIBRARY OpenCVImgproc_CORE)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenCVImgproc REQUIRED_VARS OpenCVImgproc_LIBRARY
  OpenCVImgproc_CORE OpenCVImgproc_INCLUDE)
if(OpenCVImgproc_FOUND AND NOT TARGET OpenCVImgproc::OpenCVImgproc)
  add_library(OpenCVImgproc::OpenCVImgproc INTERFACE IMPORTED)
  target_include_directories(OpenCVImgproc::OpenCVImgproc SYSTEM INTERFACE ${OpenCVImgproc_INCLUDE})
  target_link_libraries(OpenCVImgproc::OpenCVImgproc INTERFACE ${OpenCVImgproc_LIBRARY} ${OpenCVImgproc_CORE})
endif()
