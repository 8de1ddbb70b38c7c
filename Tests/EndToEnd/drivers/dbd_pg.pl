# DBD::Pg: prepared statements on the server where the pool keeps them, else none; transactions, COPY.
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

# The SQLSTATE of a statement that fails; asked of its own handle, whose end may send a DEALLOCATE.
sub state {
    my ($sql, @arguments) = @_;
    my $statement = $main::db->prepare($sql);
    eval { $statement->execute(@arguments) };
    return $statement->state;
}

my $prepared = $ENV{E2E_MODE} eq 'session' || exists $ENV{E2E_PREPARED};
our $db = DBI->connect("dbi:Pg:dbname=$ENV{PGDATABASE};host=$ENV{PGHOST};port=$ENV{PGPORT};sslmode=$ENV{PGSSLMODE}",
    $ENV{PGUSER}, $ENV{PGPASSWORD}, { RaiseError => 1, PrintError => 0, AutoCommit => 1 });
$db->{pg_server_prepare} = $prepared ? 1 : 0;
$db->{pg_switch_prepared} = 1 if exists $ENV{E2E_PREPARED};

same(($db->selectrow_array('select ?::int + 1', undef, 41))[0], 42);
same(($db->selectrow_array('select ?::text', undef, 'Grüße, мир'))[0], 'Grüße, мир');
same(($db->selectrow_array('select length(?::text)', undef, 'long ' x 50_000))[0], 250_000);
my $statement = $db->prepare('select ?::int * 2');
for my $n (1 .. 5) { $statement->execute($n); same(($statement->fetchrow_array)[0], $n * 2); $statement->finish }
undef $statement;
my $own = $db->prepare("select ?::int + $$");
for my $n (1 .. 5) { $own->execute($n); same(($own->fetchrow_array)[0], $n + $$); $own->finish }
undef $own;

same(state('select 1 / ?::int', 0), '22012');
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
same(state('insert into t values (?, ?)', 1, 'again'), '23505');
$db->pg_rollback_to('here');
same(($db->selectrow_array('select count(*) from t'))[0], 100);
$db->commit;
same(($db->selectrow_array('select 8'))[0], 8);
$db->disconnect;
print "ok $checks\n";
