<?php
// PHP PDO: prepared statements on the server where the pool keeps them, else none; transactions, COPY.
$checks = 0;
function same($found, $expected) {
    global $checks;
    $checks++;
    if ($found !== $expected) {
        [$is, $should] = [var_export($found, true), var_export($expected, true)];
        fwrite(STDERR, "check $checks: found $is, expected $should\n");
        exit(1);
    }
}
function value($db, $sql, $arguments = []) {
    $statement = $db->prepare($sql);
    $statement->execute($arguments);
    return $statement->fetchColumn();
}
function fails($db, $state, $sql, $arguments = []) {
    try {
        value($db, $sql, $arguments);
        same('no error', $state);
    } catch (PDOException $problem) {
        same($problem->errorInfo[0], $state);
    }
}
$options = [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION];
if (getenv('E2E_MODE') !== 'session' && getenv('E2E_PREPARED') === false) {
    $options[PDO::PGSQL_ATTR_DISABLE_PREPARES] = true;
}
$address = sprintf(
    'pgsql:host=%s;port=%s;dbname=%s;sslmode=%s',
    getenv('PGHOST'),
    getenv('PGPORT'),
    getenv('PGDATABASE'),
    getenv('PGSSLMODE')
);
$db = new PDO($address, getenv('PGUSER'), getenv('PGPASSWORD'), $options);
same(value($db, 'select ?::int + 1', [41]), 42);
same(value($db, 'select ?::text', ['Grüße, мир']), 'Grüße, мир');
same(value($db, 'select length(?::text)', [str_repeat('long ', 50000)]), 250000);
fails($db, '22012', 'select 1 / ?::int', [0]);
fails($db, '42601', 'not sql');
same(value($db, 'select 7'), 7);
$own = $db->prepare('select ?::int + ' . getmypid());
for ($i = 0; $i < 5; $i++) {
    $own->execute([$i]);
    same($own->fetchColumn(), $i + getmypid());
}
unset($own);

$db->beginTransaction();
$db->exec('create temp table t (a int primary key, b text) on commit drop');
$insert = $db->prepare('insert into t values (?, ?)');
for ($i = 0; $i < 50; $i++) {
    $insert->execute([$i, "row $i"]);
}
unset($insert);
same($db->pgsqlCopyFromArray('t', ["100\tx", "101\ty"]), true);
same(value($db, 'select count(*) from t'), 52);
same(count($db->pgsqlCopyToArray('t')), 52);
$db->exec('savepoint s');
fails($db, '23505', 'insert into t values (?, ?)', [1, 'again']);
$db->exec('rollback to savepoint s');
same(value($db, 'select count(*) from t'), 52);
$db->rollBack();
same(value($db, 'select 8'), 8);
echo "ok $checks\n";
