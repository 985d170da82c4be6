/** What the hook is told by its environment. */
import {
  LIVE_ALIAS_VARIABLE,
  NEW_VERSION_VARIABLE,
  REPLAY_VARIABLE,
  type ReplaySettings,
} from '../../lib/artifact/replay.js';
import { ConfigurationError } from '../../lib/errors.js';

export interface HookConfiguration {
  readonly newVersion: string;
  readonly liveAlias: string;
  readonly settings: ReplaySettings;
}

/** @throws ConfigurationError `HOOK_INCOMPLETE` */
export function readConfiguration(environment: NodeJS.ProcessEnv): HookConfiguration {
  const {
    [NEW_VERSION_VARIABLE]: newVersion,
    [LIVE_ALIAS_VARIABLE]: liveAlias,
    [REPLAY_VARIABLE]: settings,
  } = environment;
  if (newVersion && liveAlias && settings) return { newVersion, liveAlias, settings: JSON.parse(settings) };
  throw new ConfigurationError({
    code: 'HOOK_INCOMPLETE',
    message: `The environment lacks one of ${NEW_VERSION_VARIABLE}, ${LIVE_ALIAS_VARIABLE} and ${REPLAY_VARIABLE}.`,
    advice: 'InferenceFunction sets them with its option deployment.',
  });
}
