# What the scripts that print TAP share; they read it. $work is a folder of theirs.

count=0
failures=0

# report NAME: passes where nothing is in $work/bad, which says what is wrong, a line each.
report()
{
    count=$((count + 1))
    if [ -s "$work/bad" ]; then
        failures=$((failures + 1))
        echo "not ok $count - $1"
        sed 's/^/# /' "$work/bad"
    else
        echo "ok $count - $1"
    fi
}
