# DBD::Pg: prepared statements on the server in session mode, none in transaction mode; transactions, COPY.
use strict;
use warnings;
use utf8;
use DBI;

my $checks = 0;

sub same {
    my ($found, $expected) = @_;
    $checks++;
    $found = 'undef' unless defined $found;
    die "check $checks: found $found, expected $expected" unless $found eq $expected;
}

my $session = $ENV{E2E_MODE} eq 'session';
my $db = DBI->connect("dbi:Pg:dbname=$ENV{PGDATABASE};host=$ENV{PGHOST};port=$ENV{PGPORT};sslmode=disable",
    $ENV{PGUSER}, $ENV{PGPASSWORD}, { RaiseError => 1, PrintError => 0, AutoCommit => 1 });
$db->{pg_server_prepare} = 0 unless $session;

same(($db->selectrow_array('select ?::int + 1', undef, 41))[0], 42);
same(($db->selectrow_array('select ?::text', undef, 'Grüße, мир'))[0], 'Grüße, мир');
same(($db->selectrow_array('select length(?::text)', undef, 'long ' x 50_000))[0], 250_000);
my $statement = $db->prepare('select ?::int * 2');
for my $n (1 .. 5) { $statement->execute($n); same(($statement->fetchrow_array)[0], $n * 2); $statement->finish }
undef $statement;

eval { $db->selectrow_array('select 1 / ?::int', undef, 0) };
same($db->state, '22012');
same(($db->selectrow_array('select 7'))[0], 7);

$db->begin_work;
$db->do('create temp table t (a int primary key, b text) on commit drop');
my $insert = $db->prepare('insert into t values (?, ?)');
$insert->execute($_, "row $_") for 1 .. 50;
undef $insert;
$db->do('copy t from stdin');
$db->pg_putcopydata("$_\trow $_\n") for 51 .. 100;
$db->pg_putcopyend;
same(($db->selectrow_array('select count(*) from t'))[0], 100);
$db->do('copy (select a from t order by a) to stdout');
my ($line, $count) = ('', 0);
$count++ while $db->pg_getcopydata($line) >= 0;
same($count, 100);
$db->pg_savepoint('here');
eval { $db->do('insert into t values (?, ?)', undef, 1, 'again') };
same($db->state, '23505');
$db->pg_rollback_to('here');
same(($db->selectrow_array('select count(*) from t'))[0], 100);
$db->commit;
same(($db->selectrow_array('select 8'))[0], 8);
$db->disconnect;
print "ok $checks\n";
