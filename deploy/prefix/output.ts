import type { SharedCut } from '../../gpu-host/graph/index.ts';
import type { Measured, MeasuredCut } from './measure.ts';
import type { StudiedGroup, Study } from './study.ts';

/** The format of `ganglion prefix --json`: what tools are written against. Fields are added, never taken away. */
export const prefixJson = ({ models, groups }: Study, measured: Measured, written: readonly string[]): object => ({
  models: models.map(({ name, file, nodes, parameters, bytes, cost, alone }) => ({
    name,
    file,
    nodes,
    parameters,
    weightBytes: bytes,
    cost,
    alone: alone ?? null,
  })),
  groups: groups.map(group => groupJson(group, measured)),
  written,
});

function groupJson(studied: StudiedGroup, measured: Measured): object {
  const { id, group, cut, partings, apartBytes, togetherBytes, inner } = studied;
  return {
    id,
    members: group.members,
    cut: cut.hash,
    weightBytes: { apart: apartBytes, together: togetherBytes },
    partings,
    cuts: group.cuts.map(one => ({ ...cutJson(one), ...measuredJson(measured.get(one.hash)) })),
    groups: inner.map(one => groupJson(one, measured)),
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

const measuredJson = (found: MeasuredCut | undefined): object =>
  found ? { measured: { member: found.member, runs: found.runs, error: found.error ?? null } } : {};
