/** What Drover lays on a host outside of the folders of environments. All of it belongs to root. */

/** Folders besides `/srv/drover` that the helper may work on, one a line. */
export const ROOTS_FILE = '/etc/drover/roots'

export const SUDOERS_FILE = '/etc/sudoers.d/drover'

/** Makes the system's own nginx read the files of UPSTREAMS_FOLDER. */
export const NGINX_FILE = '/etc/nginx/conf.d/drover.conf'

/** A file for each environment, which names its services for the system's own nginx. */
export const UPSTREAMS_FOLDER = '/etc/drover/upstreams'

/** Digest of the files above as nginx was last told of them. */
export const NGINX_STAMP = '/etc/drover/nginx.told'

/** How much the logs of services may take. */
export const JOURNAL_FILE = '/etc/systemd/journald.conf.d/drover.conf'
