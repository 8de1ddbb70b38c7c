extension SettingsTable {
    /// Bounds of the providers that call libraries which block, or that compute for long.
    static let authLaneKeys: [SettingsKey] = [
        SettingsKey(
            "auth_lane_threads", .general, .integer(1...256), default: "8", .reload, isOwn: true,
            """
            Threads for logins by PAM, and as many for logins by LDAP: so many are checked at the same time. A check \
            that hangs keeps its thread. Clear passwords and tokens are checked on threads of their own, which leave \
            a core to the workers.
            """
        ),
        SettingsKey(
            "auth_lane_queue", .general, .integer(1...65_536), default: "128", .reload, isOwn: true,
            "Logins that may wait for one of these threads, for PAM and LDAP each; more are refused at once (58000)."
        ),
        SettingsKey(
            "auth_lane_timeout", .general, .positiveDuration, default: "30s", .reload, isOwn: true,
            """
            How long such a login may take, waiting included; then it is refused (58000). The keys of a SCRAM login at \
            a server may take so long, too, where `connect_timeout` is longer.
            """
        ),
    ]
}
