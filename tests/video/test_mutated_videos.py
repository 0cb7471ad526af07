import pytest
from mutated_videos import mutate
from test_edge_cases import read

COPIES = 2  # of each video


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["pyav", "decord"], indirect=True)
def test_mutated_copies_never_show_a_wrong_frame(corpus, odd, tmp_path, backend):
    # No crash, no hang, and no frame that neither the copy nor the original shows at its place.
    # VP8's decoder paints over damage with what lies in memory, each time another thing.
    listing = {}
    videos = {**corpus, **odd}
    videos = {name: video for name, video in videos.items() if not video.turn and name != "vp8"}
    for number, (name, video) in enumerate(videos.items()):
        for copy in range(COPIES):
            seed = COPIES * number + copy
            path = tmp_path / f"{seed}{video.path.suffix}"
            path.write_bytes(mutate(video.path.read_bytes(), seed))
            policy = ("error", "use_prefix")[copy % 2]
            listing[f"{name}, {seed}"] = (str(path), str(video.path), 0, policy)
    outcomes = read(backend, tmp_path, listing, seconds=900)
    assert len(outcomes) > 100
    wrong = {name: found for name, found in outcomes.items() if found.startswith("WRONG")}
    assert wrong == {}
