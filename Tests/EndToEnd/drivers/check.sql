-- psql: what its users do all day, \d and \copy included. Run with ON_ERROR_STOP off; the errors here are wanted.
\set VERBOSITY sqlstate
\pset tuples_only on
\pset format unaligned
select 40 + 2;
select 'Grüße, мир';
select 1 / 0;
select 'still here';
begin;
create temp table t (a int, b text) on commit drop;
copy t from stdin;
1	one
2	two
\.
\copy t to pstdout
select count(*) from t;
savepoint s;
selekt;
rollback to s;
select 'rolled back';
commit;
\set FETCH_COUNT 3
select id from numbers where id < 8 order by id;
\unset FETCH_COUNT
select 1 as a \; select 2 as b;
select 'x' as col \gdesc
do $$ begin raise notice 'noticed'; end $$;
\d numbers
\dt numbers
