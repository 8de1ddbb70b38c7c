import HBA
import Settings

/// What the console shows of the policy. Reads files: none of this runs on a worker.
extension Gateway {
    var hbaRows: [HBARow] {
        let snapshot = self.snapshot
        let onDisk = self.stateOnDisk(of: snapshot)
        return snapshot.deciding.map { decided in
            HBARow(
                rule: decided.rule.source,
                file: decided.rule.file,
                line: decided.rule.line,
                hits: decided.use.hits,
                lastHit: decided.use.lastHit.map(WallClock.text),
                onDisk: onDisk
            )
        }
    }

    /// What a reload would make of the policy.
    private func stateOnDisk(of snapshot: Snapshot) -> String {
        do throws(GatewayStartError) {
            let other = try self.loader.load(self.lookups, previous: nil)
            try Self.checkAudit(other.settings.general)
            let isSame = other.policy.isSame(as: snapshot.policy) && other.maps.isSame(as: snapshot.maps)
            return isSame ? "same" : "changed"
        } catch {
            return "refused: " + error.description
        }
    }
}
