import AuthProviders
import HBA
import PGWire
import Settings
import Sessions
import Telemetry

extension Snapshot {
    /// TLS for clients; nil without.
    static func clientTLS(
        _ general: GeneralSettings,
        previous: Snapshot?,
        _ problems: inout SnapshotProblems
    ) -> ClientTLS? {
        do throws(SnapshotError) {
            return try ClientTLS.make(general.clientTLS, previous: previous?.clientTLS)
        } catch {
            problems.add(error)
            return nil
        }
    }

    /// TLS towards the servers of each database. Pools that say the same share one context, and its problem.
    static func serverTLS(
        _ settings: GatewaySettings,
        _ problems: inout SnapshotProblems
    ) -> [ExactName: ServerTLS] {
        var made: [ServerTLS] = []
        var refused: [ServerTLSSettings] = []
        var byDatabase: [ExactName: ServerTLS] = [:]
        for pool in settings.pools where !refused.contains(pool.serverTLS) {
            if let known = made.first(where: { $0.settings == pool.serverTLS }) {
                byDatabase[ExactName(pool.name)] = known
                continue
            }
            do throws(SnapshotError) {
                let tls = try ServerTLS(pool.serverTLS, section: "pools.\(pool.name)")
                made.append(tls)
                byDatabase[ExactName(pool.name)] = tls
            } catch {
                refused.append(pool.serverTLS)
                problems.add(error)
            }
        }
        return byDatabase
    }

    /// Certificates that do not work, or not for long.
    static func warnings(_ clients: ClientTLS?, _ servers: [ExactName: ServerTLS]) -> [String] {
        let now = WallClock.now / 1_000_000
        var warnings = clients?.warnings(now: now) ?? []
        for (database, tls) in servers.sorted(by: { $0.key.text < $1.key.text }) {
            guard let context = tls.context else { continue }
            let name = "pools.\(database.text).server_tls_certificate"
            warnings += CertificateValidity.warnings(context, name: name, now: now)
        }
        return warnings
    }

    /// Rules for TLS clients while there can be none.
    static func encryptionWarnings(_ policy: HBAPolicy, _ tls: ClientTLSSettings) -> [String] {
        let rules = tls.isOffered ? [] : policy.rules.filter { $0.kind == .hostssl }
        guard let first = rules.first else { return [] }
        return [
            "\(first.file):\(first.line): rules of type hostssl (\(rules.count)) let nobody in: clients get no TLS "
                + "without general.tls_certificate"
        ]
    }

    /// Without authorities no client is ever asked for its certificate: such a rule would let nobody in.
    static func checkCertificates(_ rule: HBARule, _ tls: ClientTLSSettings) throws(SnapshotError) {
        guard rule.method == CertificateDemand.method || rule.option("clientcert") != nil, tls.caCert == nil
        else { return }
        throw SnapshotError(
            [.init(rule: rule, "client certificates can only be checked with general.tls_ca_cert")])
    }
}
