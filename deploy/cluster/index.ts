export type { ClusterEvent } from './events.ts';
export { launchCluster, type ActorStatus, type LaunchedCluster, type LaunchOptions } from './launch.ts';
export { afterFailure, noFailures, RESTART_POLICY, type FailureRecord, type RestartPolicy } from './restart.ts';
