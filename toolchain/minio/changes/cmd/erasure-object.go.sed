# What drives disagree about counts as missing only if every drive was read. A node that is starting sees some of them
# first, and one of those may have missed the last change: the node took a bucket's settings for missing, and served the
# bucket with the defaults, without versions and without a lock (docs/object-store.md).
/v\.Type == RQInconsistentMeta {$/ s/ {$/ \&\& countErrs(errs, nil) == len(errs) {/
/^\tlfi, err := meta\.ToFileInfo(/ a\
	if read := countErrs(errs, nil) + countErrs(errs, errFileNotFound) + countErrs(errs, errFileVersionNotFound); err != nil && read < len(errs) {\
		err = errErasureReadQuorum\
	}
