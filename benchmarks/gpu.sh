#!/usr/bin/env bash
# All that needs a GPU, within eight minutes: the device's rates, the tests that run on it, a unit
# in every form, whole networks, the training loop's overhead, a short run on encoded videos.
#
#   bash benchmarks/gpu.sh                            # writes outputs/gpu, or into the folder $OUT
#   bash benchmarks/gpu.sh --device cpu --quick       # tiny sizes: whether all of it works
#
# A part that fails, is cut off or lacks a package does not stop the others. gpu.json holds what is there so
# far, from the first part on; gpu.log what was printed. PYTHON is the Python that is used (python3), PAIRS are
# keys and values for the loop and the run besides those below ("MODEL.COMPILE all").
set -u
cd "$(dirname "$0")/.." || exit

device=cuda
quick=
while (($#)); do
    case $1 in
    --device) device=${2:-}; shift ;;
    --quick) quick=yes ;;
    -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; exit ;;
    *) echo "error: $1 is no option; --device cuda, --device cpu and --quick are" >&2; exit 2 ;;
    esac
    shift
done
case $device in
cpu | cuda) ;;
*) echo "error: --device is '$device'; cpu or cuda is allowed" >&2; exit 2 ;;
esac

python=${PYTHON:-python3}
out=${OUT:-outputs/gpu}
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
if ! "$python" -c 'import torch' 2>/dev/null; then
    echo "error: $python has no torch; PYTHON=... names another" >&2
    exit 2
fi
if [[ $device == cuda ]] && ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    echo "error: torch sees no GPU on this machine; --device cpu --quick only tries the parts" >&2
    exit 2
fi
mkdir -p "$out" && rm -f "$out"/*.json "$out"/tests.xml || exit
states=$(mktemp)
: >"$out/gpu.log"
running=

join() {
    "$python" benchmarks/gpu_join.py "$out" "$states"
}

finish() { # when the script ends, however it does
    join
    rm -f "$states" "$out/tests.xml"
}
stopped() { # by a signal
    if [[ $running ]]; then
        kill "$running" 2>/dev/null
        wait "$running" 2>/dev/null
        say "$name" $((SECONDS - began)) "stopped by a signal"
    fi
    exit 143
}
trap finish EXIT
trap stopped INT TERM

say() { # part, seconds, how it ended
    printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$states"
    echo "== $1: $3 ($2 s)" | tee -a "$out/gpu.log"
}

lacking() { # of the packages named, those that are not there
    "$python" - "$@" <<'END'
import sys
from importlib.util import find_spec
print(", ".join(name for name in sys.argv[1:] if not find_spec(name)))
END
}

part() { # its name, most seconds, packages that it needs, the command
    name=$1
    local limit=$(($2 * patience)) left=$((deadline - SECONDS)) missing status
    # shellcheck disable=SC2086
    missing=$(lacking $3)
    shift 3
    began=$SECONDS
    if [[ $missing ]]; then
        say "$name" 0 "left out, not installed: $missing"
        return
    fi
    limit=$((left < limit ? left : limit))
    if ((limit < 10)); then
        say "$name" 0 "left out, no time left"
        return
    fi
    echo "== $name: $*" | tee -a "$out/gpu.log"
    timeout --kill-after=10 "$limit" "$@" > >(tee -a "$out/gpu.log") 2>&1 &
    running=$!
    wait "$running"
    status=$?
    running=
    case $status in
    0) say "$name" $((SECONDS - began)) "done" ;;
    124 | 137) say "$name" $((SECONDS - began)) "cut off after $limit s" ;;
    *) say "$name" $((SECONDS - began)) "failed with status $status, see gpu.log" ;;
    esac
    join
}

# The tests that have something to do with a GPU, so that no package is needed that only others import.
mapfile -t tests < <(grep -rlE 'mark\.gpu\b' tests --include='test_*.py')
read -ra given <<<"${PAIRS:-}"
if [[ $quick ]]; then
    deadline=3600 patience=10 # on busy machines, too
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
    unit=(--stages res4 --batch 1 --frames 2 --rounds 1 --compile ours --backend aot_eager)
    network=(--model tiny --batch 2 --size 32 --rounds 1 --backend aot_eager)
    training=(--compile ours) inference=()
    loop=(--rounds 1 --steps 2)
    run=(--videos 1 --steps 6)
    rates=(--rounds 1 --batch 1 2 --sizes 64x196 128x196)
    pairs=(MODEL.ARCH tiny GLORE.LOCATION '[[[1]],[[0]]]' DATA.TRAIN_CROP_SIZE 32 DATA.TRAIN_JITTER_SCALES '[40,48]'
        TRAIN.BATCH_SIZE 2 DATA_LOADER.NUM_WORKERS 1)
else
    deadline=465 patience=1
    unit=(--dtype bfloat16 --batch 8 32 --compile published ours fused non-local)
    training=(--compile ours plain) inference=(--compile ours plain)
    network=(--batch 16)
    loop=(--rounds 5 --steps 10)
    run=(--videos 16 --steps 45)
    rates=()
    pairs=(TRAIN.BATCH_SIZE 64 DATA_LOADER.NUM_WORKERS "$(nproc)")
fi
gpus=1
[[ $device == cpu ]] && gpus=0
pairs+=(NUM_GPUS "$gpus" TRAIN.MIXED_PRECISION True MODEL.CHANNELS_LAST True "${given[@]}")
cfg=configs/k400_glore_r50.yaml
needs="av pydantic tqdm yaml"

[[ -f benchmarks/device_rates.py ]] &&
    part rates 60 numpy "$python" benchmarks/device_rates.py --device "$device" --json "$out/rates.json" "${rates[@]}"
part tests 75 "pytest pytest_timeout" \
    "$python" -m pytest -q -m gpu --continue-on-collection-errors --junitxml "$out/tests.xml" "${tests[@]}"
part unit 130 "" \
    "$python" benchmarks/unit.py --device "$device" --channels-last --json "$out/unit.json" "${unit[@]}"
part network_training 160 "" \
    "$python" benchmarks/network.py --device "$device" --train --bf16 "${training[@]}" \
    --json "$out/network_training.json" "${network[@]}"
part loop 40 "$needs" \
    "$python" benchmarks/loop_overhead.py --cfg "$cfg" --json "$out/loop.json" "${loop[@]}" "${pairs[@]}"
part run 75 "$needs" \
    "$python" benchmarks/run_rate.py --cfg "$cfg" --loop "$out/loop.json" --json "$out/run.json" "${run[@]}" "${pairs[@]}"
part network_inference 100 "" \
    "$python" benchmarks/network.py --device "$device" --bf16 "${inference[@]}" \
    --json "$out/network_inference.json" "${network[@]}"

bad=$(grep -cvP '\tdone$' "$states")
echo "$out/gpu.json written; $bad parts were not done"
exit $((bad > 0))
