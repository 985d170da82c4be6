/** The packages that one package of a package-lock.json needs. */
import { readFileSync } from 'node:fs';

interface LockedPackage {
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export type PackageLock = Readonly<Record<string, LockedPackage>>;

export interface InstalledPackage {
  readonly name: string;
  /** Relative to the lock file. */
  readonly path: string;
  readonly hasInstallScript: boolean;
}

export function readPackageLock(file: string): PackageLock {
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly packages: PackageLock }).packages;
}

/**
 * A package with its dependencies and theirs, peers left out, as they are installed: optional ones only where the lock lists them.
 *
 * @throws Error if the lock lacks a dependency that is not optional
 */
export function installedClosure(lock: PackageLock, name: string): InstalledPackage[] {
  const found = new Map<string, InstalledPackage>();
  const visit = (dependency: string, from: string, optional: boolean): void => {
    const path = resolveInLock(lock, dependency, from);
    if (path === undefined) {
      if (optional) return;
      throw new Error(`${from} needs ${dependency}, which the lock file does not list`);
    }
    if (found.has(path)) return;
    const { hasInstallScript = false, dependencies = {}, optionalDependencies = {} } = lock[path] ?? {};
    found.set(path, { name: dependency, path, hasInstallScript });
    for (const next of Object.keys(dependencies)) visit(next, path, false);
    for (const next of Object.keys(optionalDependencies)) visit(next, path, true);
  };
  visit(name, '', false);
  return [...found.values()];
}

/** Looks in the folders that Node.js would. */
function resolveInLock(lock: PackageLock, name: string, from: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (path in lock) return path;
    if (folder === '') return undefined;
  }
}
