# The Debian package: `cpack --config build/release/CPackConfig.cmake`, or deploy/deb, which builds first.
include(GNUInstallDirs)
install(FILES deploy/sundog.service DESTINATION lib/systemd/system)
install(FILES deploy/sundog.conf DESTINATION /etc/sundog)
install(FILES README.md deploy/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sundog)
set(CPACK_PACKAGE_VENDOR Sundog)
set(CPACK_PACKAGE_CONTACT "The Sundog developers <sundog@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "container half of a public cloud on one machine")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"managed image registries, serverless container instances and managed
Kubernetes clusters behind real sign-in, role assignments and a resource
manager API, wire-compatible with Azure's: docker, az, the Azure SDKs and
kubectl work against it unmodified.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_CMAKE_PROJECTS "${CMAKE_BINARY_DIR};sundog;ALL;/")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# what it runs and loads later, beside the libraries it is linked with
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, ca-certificates, crun, libnftables1, postgresql (>= 13)")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "git, libnss-myhostname")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "azure-cli, jq, kubernetes-client, podman, skopeo")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
foreach(script conffiles preinst postinst prerm postrm)
    list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/deploy/debian/${script})
endforeach()
include(CPack)
