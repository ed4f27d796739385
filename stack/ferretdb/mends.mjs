/**
 * Faults of FerretDB 1.24.2 (its last version with the PostgreSQL backend that needs no extension) that lose data to the
 * eye: after a first look at PostgreSQL that failed half-way, every collection was empty until the next restart.
 */
const REGISTRY = "internal/backends/postgresql/metadata/registry.go";

/** What is replaced in its sources at the build; each `from` is there exactly once, or the build fails. */
export const MENDS = [
  {
    why: "what was loaded in part counted as loaded, and each that had waited loaded everything again",
    file: REGISTRY,
    from: `	dbNames, err := r.initDBs(ctx, p)
	if err != nil {
		return nil, lazyerrors.Error(err)
	}
`,
    to: `	if r.colls != nil {
		return p, nil
	}

	dbNames, err := r.initDBs(ctx, p)
	if err != nil {
		return nil, lazyerrors.Error(err)
	}
`,
  },
  {
    why: "as above",
    file: REGISTRY,
    from: `		if err = r.initCollections(ctx, dbName, p); err != nil {
`,
    to: `		if err = r.initCollections(ctx, dbName, p); err != nil {
			r.colls = nil
`,
  },
  {
    why: "a list of databases that was cut off counted as whole",
    file: REGISTRY,
    from: `	return dbNames, nil
`,
    to: `	if err = rows.Err(); err != nil {
		return nil, lazyerrors.Error(err)
	}

	return dbNames, nil
`,
  },
];
