# The layer of sundog/hello: FILE as /hello, in OUT.tar.gz; the hash of the tar itself in OUT.diff_id.
# The same bytes from every machine: no times, no owners.
get_filename_component(folder ${FILE} DIRECTORY)
get_filename_component(name ${FILE} NAME)
execute_process(COMMAND_ERROR_IS_FATAL ANY
    COMMAND tar --format=ustar --owner=root:0 --group=root:0 --mode=0755 --mtime=@0 --transform=s/^${name}$/hello/
            -C ${folder} -cf ${OUT}.tar ${name})
execute_process(COMMAND_ERROR_IS_FATAL ANY COMMAND gzip -nkf9 ${OUT}.tar)
file(SHA256 ${OUT}.tar diff_id)
file(WRITE ${OUT}.diff_id "sha256:${diff_id}")
