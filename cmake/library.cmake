# The library for programs: shared and static, with its header, a pkg-config file and a CMake package. No Python.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# ---- the header: one file, with the version and the cells ----
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS csrc/fastrnn.h csrc/losses.h csrc/attention.h csrc/pooling.h
             csrc/cells.h pyproject.toml)
file(READ csrc/fastrnn.h header)
foreach(part IN ITEMS losses attention pooling)
  file(READ csrc/${part}.h text)
  string(REPLACE "#include \"${part}.h\"\n" "${text}" header "${header}")
endforeach()
file(STRINGS csrc/cells.h rows REGEX "^CELL\\(")
list(TRANSFORM rows REPLACE "^CELL\\(([A-Z0-9_]+),.*" "    FR_\\1,")
list(JOIN rows "\n" rows)
set(version "")
foreach(part IN ITEMS MAJOR MINOR PATCH)
  string(APPEND version "#define FR_VERSION_${part} ${PROJECT_VERSION_${part}}\n")
endforeach()
string(REGEX REPLACE "/\\* VERSION: [^/]*\\*/\n" "${version}" header "${header}")
string(REGEX REPLACE "typedef enum {[^}]*cells\\.h[^}]*} fr_cell;" "typedef enum {\n${rows}\n    FR_N_CELLS\n} fr_cell;"
       header "${header}")
if(NOT header MATCHES "#define FR_VERSION_MAJOR" OR header MATCHES "cells\\.h")
  message(FATAL_ERROR "cmake/library.cmake: csrc/fastrnn.h has no line VERSION, or no enum of the rows of cells.h")
endif()
file(CONFIGURE OUTPUT include/fastrnn.h CONTENT "${header}" @ONLY)

# ---- the libraries ----
add_library(fastrnn SHARED)
add_library(fastrnn_static STATIC)
set(compatible ${PROJECT_VERSION_MAJOR}) # what fastrnn.h says about versions
set(compatibility SameMajorVersion)
if(PROJECT_VERSION_MAJOR EQUAL 0)
  string(APPEND compatible .${PROJECT_VERSION_MINOR})
  set(compatibility SameMinorVersion)
endif()
set_target_properties(fastrnn PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${compatible})
set_target_properties(fastrnn_static PROPERTIES OUTPUT_NAME fastrnn)
# GCC finds its own runtime by name, on the machine that links; others may have theirs in any folder.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  set(libraries ${OpenMP_C_LIB_NAMES} m ${CMAKE_DL_LIBS})
else()
  set(libraries ${OpenMP_C_LIBRARIES} m ${CMAKE_DL_LIBS})
endif()
target_link_libraries(fastrnn PRIVATE ${libraries})
target_link_libraries(fastrnn_static INTERFACE ${libraries})
foreach(library IN ITEMS fastrnn fastrnn_static)
  add_library(fastrnn::${library} ALIAS ${library})
  foreach(part IN LISTS parts)
    target_sources(${library} PRIVATE $<TARGET_OBJECTS:${part}>)
  endforeach()
  target_include_directories(${library} INTERFACE "$<BUILD_INTERFACE:${CMAKE_CURRENT_BINARY_DIR}/include>"
                                                  "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
endforeach()

# ---- what is installed ----
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/fastrnn)
install(TARGETS fastrnn fastrnn_static EXPORT fastrnn COMPONENT library)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/include/fastrnn.h" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library)
install(EXPORT fastrnn NAMESPACE fastrnn:: FILE fastrnn-config.cmake DESTINATION ${package} COMPONENT library)
write_basic_package_version_file(fastrnn-config-version.cmake COMPATIBILITY ${compatibility})
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/fastrnn-config-version.cmake" DESTINATION ${package} COMPONENT library)
list(TRANSFORM libraries PREPEND -l REGEX "^[^/]") # not paths
list(JOIN libraries " " libs_private)
set(pcfiledir "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig") # paths from there stay right when the prefix is moved
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY "${pcfiledir}" OUTPUT_VARIABLE to_prefix)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_INCLUDEDIR BASE_DIRECTORY "${pcfiledir}" OUTPUT_VARIABLE to_includedir)
configure_file(cmake/fastrnn.pc.in fastrnn.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/fastrnn.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
