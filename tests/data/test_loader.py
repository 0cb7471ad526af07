"""Which process reads what, and how items become batches."""

import re
from typing import NamedTuple

import pytest
import torch

from glore_video.data.batches import SampleItem, collate
from glore_video.data.loader import samples_loader, views_loader
from glore_video.data.samplers import TrainingBatches, shard
from glore_video.tasks.sample_sets import ViewsItem


@pytest.mark.parametrize(
    ("videos", "world_size", "expected"),
    [(5, 2, [[0, 2, 4], [1, 3]]), (1, 3, [[0], [], []]), (4, 1, [[0, 1, 2, 3]])],
)
def test_shards_have_every_video_once(videos, world_size, expected):
    shards = [shard(videos, rank=rank, world_size=world_size) for rank in range(world_size)]
    assert [list(part) for part in shards] == expected


def batches_of(epoch=0, **changes):
    settings = {"batch_size": 4, "seed": 1, "noun": "videos"}
    batches = TrainingBatches(10, **(settings | changes))
    batches.epoch = epoch
    return list(batches)


def test_an_epoch_is_a_permutation_of_whole_batches():
    batches = batches_of(epoch=6)
    assert [len(batch) for batch in batches] == [4, 4]
    assert all(epoch == 6 for batch in batches for epoch, _ in batch)
    indices = [index for batch in batches for _, index in batch]
    assert len(set(indices)) == 8
    assert set(indices) <= set(range(10))


def test_order_changes_with_epoch_and_seed():
    assert batches_of() == batches_of()
    orders = [batches_of(), batches_of(epoch=1), batches_of(seed=2)]
    bare = [[index for batch in order for _, index in batch] for order in orders]
    assert bare[0] != bare[1] != bare[2] != bare[0]


def test_processes_together_read_the_batches_of_one():
    alone = batches_of()
    parts = [batches_of(rank=rank, world_size=2) for rank in range(2)]
    for whole, first, second in zip(alone, *parts, strict=True):
        assert len(first) == len(second) == 2
        assert sorted(whole) == sorted(first + second)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 11}, "TRAIN.BATCH_SIZE = 11 is more than the 10 training videos"),
        ({"world_size": 3}, "TRAIN.BATCH_SIZE = 4 can't be shared evenly by 3 processes"),
    ],
)
def test_batch_sizes_that_do_not_fit(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        batches_of(**changes)


def test_collate_leaves_out_what_could_not_be_read():
    clips = torch.arange(12, dtype=torch.uint8).view(1, 3, 1, 2, 2)
    items = [
        SampleItem(clips, 3, 0, (("x", "bad"),)),
        SampleItem(None, 4, 1, (("y", "worse"),)),
        SampleItem(clips + 1, 5, 2),
    ]
    batch = collate(items)
    assert torch.equal(batch.inputs, torch.stack([clips[0], clips[0] + 1]))
    assert batch.targets.tolist() == [3, 5]
    assert batch.indices == (0, 2)
    assert batch.inputs_per_sample == 1
    assert batch.failures == (("x", "bad"), ("y", "worse"))
    empty = collate(items[1:2])
    assert empty.inputs is None
    assert empty.targets.tolist() == []
    assert empty.inputs_per_sample == 0


def test_clips_of_a_video_stay_together_with_its_label():
    def of(*numbers):
        return torch.tensor(numbers, dtype=torch.uint8).view(-1, 1, 1, 1, 1).expand(-1, 3, 2, 1, 1)

    batch = collate(
        [SampleItem(of(1, 2, 3), 7, 4), SampleItem(None, -1, 5), SampleItem(of(4, 5, 6), 8, 9)]
    )
    assert batch.inputs.shape == (6, 3, 2, 1, 1)
    assert batch.inputs[:, 2, 1, 0, 0].tolist() == [1, 2, 3, 4, 5, 6]
    assert batch.targets.tolist() == [7, 7, 7, 8, 8, 8]
    assert batch.indices == (4, 9)
    assert batch.inputs_per_sample == 3


@pytest.mark.parametrize("positions", [(4, 5), (2, 4, 5)], ids=["pictures", "clips"])
@pytest.mark.parametrize("by_colour", [True, False], ids=["by colour", "by pixel"])
@pytest.mark.parametrize("interleaved", [True, False])
def test_a_batch_lies_in_memory_as_the_network_takes_it(positions, by_colour, interleaved):
    """Whatever the order that items come in, and though they are views of something larger."""
    generator = torch.Generator().manual_seed(0)
    larger = torch.randint(0, 256, (2, *positions, 4), dtype=torch.uint8, generator=generator)
    parts = [each.movedim(-1, 0)[None, :3] for each in larger]
    items = [
        SampleItem(part.contiguous() if by_colour else part, 0, index)
        for index, part in enumerate(parts)
    ]
    inputs = collate(items, interleaved=interleaved).inputs
    assert torch.equal(inputs, torch.cat(parts))
    assert inputs.movedim(1, -1).is_contiguous() == interleaved
    assert inputs.is_contiguous() != interleaved


@pytest.mark.parametrize(
    "other", [torch.zeros(1, 3, 1, 5, dtype=torch.uint8), torch.zeros(1, 3, 4, 5)]
)
def test_inputs_that_differ_make_no_batch(other):
    item = SampleItem(torch.zeros(1, 3, 4, 5, dtype=torch.uint8), 0, 0)
    with pytest.raises(ValueError, match="inputs of a batch differ"):
        collate([item, SampleItem(other, 0, 1)])


class Wide(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        frames = torch.arange(2 * 4 * 5 * 3, dtype=torch.uint8).view(2, 4, 5, 3) + index
        return SampleItem(frames.movedim(-1, 0)[None], index, index)


@pytest.mark.parametrize("workers", [0, 1])
def test_the_order_in_memory_comes_out_of_a_worker(workers):
    loader = samples_loader(
        *(Wide(),),
        num_workers=workers,
        pin_memory=False,
        sampler=range(4),
        batch_size=2,
        interleaved=True,
    )
    for start, batch in zip((0, 2), loader, strict=True):
        assert batch.inputs.is_contiguous(memory_format=torch.channels_last_3d)
        clips = torch.cat([Wide()[start].inputs, Wide()[start + 1].inputs])
        assert torch.equal(batch.inputs, clips)


class Items(torch.utils.data.Dataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        clips = torch.full((1, 3, 1, 1, 1), index, dtype=torch.uint8)
        return SampleItem(clips, index, index)


class Views(Items):
    def __getitem__(self, index):
        return ViewsItem(None, index, index)


class Pinned(NamedTuple):
    """Views that can lie in page-locked memory."""

    pinned: bool = False

    def pin_memory(self):
        return Pinned(True)


def test_views_are_page_locked_where_they_can_be():
    assert ViewsItem(Pinned(), 3, 1).pin_memory() == ViewsItem(Pinned(True), 3, 1)
    for views in (None, {"scene": 1}):
        item = ViewsItem(views, 3, 1, (("x", "bad"),))
        assert item.pin_memory() is item


@pytest.mark.parametrize("gpu", [True, False])
@pytest.mark.parametrize("wanted", [True, False])
def test_page_locked_memory_is_for_gpus(gpu, wanted, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    batches = samples_loader(Items(), num_workers=0, pin_memory=wanted, sampler=range(4))
    views = views_loader(Views(), num_workers=0, pin_memory=wanted)
    assert batches.pin_memory == views.pin_memory == (gpu and wanted)


@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_keep_the_order(workers):
    sampler = range(1, 5, 2)
    loader = samples_loader(
        Items(), num_workers=workers, pin_memory=False, sampler=sampler, batch_size=1
    )
    assert [batch.targets.tolist() for batch in loader] == [[1], [3]]
    assert [item.index for item in views_loader(Views(), num_workers=workers)] == [0, 1, 2, 3, 4]
