/** How to read the tables, and what was seen in them. */
export const NOTES = `How it was done

- The services are Pakashop's without its migration and without singletons; they work on one PostgreSQL and one Redis
  on the machine that the tools run on. Packages of npm and pip come from caches on the host, sources from a git server beside
  it: no wide network is in any figure. Units, nginx and bootstrap were there before and count for nobody.
- The **limit** is no tool but the pieces put together by hand for this fleet, from a cold ssh connection: sources as one archive,
  installed packages by hard links, new processes beside the old, one process that waits for all of them, an nginx that knows both ports for good. Its
  first deploy unpacks an archive that was built before. *In tiers*: a tier of services starts when the one below it is ready.
- Drover's time ends when its record says that the new set is live; the table below it shows when the command ended, which goes
  on to watch the traffic. Its builds of the first deploy are left out as the limit's are. It starts services in the order of
  their needs, as the limit in tiers does.
- The other tools build on the host, so that is in their first deploy. They have no old version running to go back to.
- A request counts until 2.5 s after the end of the command. Failed: anything but a 2xx or 3xx, and no answer within 10 s.

What the other tools do

- **deploy.sh** restarts every service, changed or not; most of its time is \`sleep 2\`. \`is-active\` after 2 s sees a service that has exited,
  not one that never gets ready. It stops in the middle: some services on the new commit, the rest on the old one. Its way back for one service
  leaves staged changes in the checkout, over which the next \`git pull\` stumbles; here they were reset by hand between the scenarios.
- After a crash loop systemd's **start limit** refuses the good version too ("Start request repeated too quickly"), until somebody calls \`systemctl reset-failed\`.
- **Capistrano** ends with 0 for both bad changes: \`systemctl restart\` succeeds as soon as the process is forked.
- **Ansible** sees that a service is not ready after its 30 tries, and stops there. Run again after a failure it says ok and does nothing, because the
  checkout has not moved.
- None of the three can restart without a gap: the old process ends before the new one starts.`
