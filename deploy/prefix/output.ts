import type { SharedCut } from '../../gpu-host/graph/index.ts';
import type { StudiedGroup, Study } from './study.ts';

/** The format of `ganglion prefix --json`: what tools are written against. Fields are added, never taken away. */
export const prefixJson = ({ models, groups }: Study, written: readonly string[]): object => ({
  models: models.map(({ name, file, nodes, parameters, bytes, cost, alone }) => ({
    name,
    file,
    nodes,
    parameters,
    weightBytes: bytes,
    cost,
    alone: alone ?? null,
  })),
  groups: groups.map(groupJson),
  written,
});

function groupJson({ id, group, cut, partings, apartBytes, togetherBytes, inner }: StudiedGroup): object {
  return {
    id,
    members: group.members,
    cut: cut.hash,
    weightBytes: { apart: apartBytes, together: togetherBytes },
    partings,
    cuts: group.cuts.map(cutJson),
    groups: inner.map(groupJson),
  };
}

const cutJson = ({ hash, trunk, tensors, prefix, shares, costKnown, insideFusion, exact }: SharedCut): object => ({
  hash,
  trunk,
  tensors,
  prefix,
  shares,
  costKnown,
  insideFusion,
  exact,
});
