# Who sends the header that bypasses a governance lock needs the right to do so, whatever lock is asked for. As published, the
# right is looked for only where the new lock is one of governance: without any right in the bucket, whoever had a key could
# take such a lock away, or set one of compliance that nobody can take away again (docs/object-store.md).
/^func isPutRetentionAllowed(/,/^}/ {
	s/^\tif retMode == objectlock\.RetGovernance && byPassSet {$/\tif byPassSet {/
	s/^\t\tbyPassSet = globalIAMSys\.IsAllowed(policy\.Args{$/\t\tif !globalIAMSys.IsAllowed(policy.Args{/
	s/^\t\t})$/\t\t}) {\
			return ErrAccessDenied\
		}/
}
