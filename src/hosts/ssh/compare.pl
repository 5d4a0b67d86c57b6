# Tells how folders that were laid differ from what was laid.
#
#     compare <read all files 0|1> <folder>...
#
# Words of the answer end with NUL: for each folder "absent"; or "laid", the digest of its inventory (empty: there is none
# that can be read), how many paths differ, and the first of these; an empty word ends.

use constant MOST => 20;

my ( $deep, @folders ) = @ARGV;

# Reading all files takes long, and what serves goes first. A release waits for the other comparison, which does not.
POSIX::nice(10) if $deep;

my $inventories = inventories_of( grep { -d $_ && !-l $_ } @folders );
my $differs     = differences( $deep, $inventories );
my @there       = keys %$inventories;
my %digest_of;
@digest_of{@there} = digests_of( map { $_->{records} } @$inventories{@there} );
for my $folder (@folders) {
    my $paths = $differs->{$folder};
    if ( !$paths ) { print "absent\0\0"; next }
    my $digest = $inventories->{$folder}{digest};
    my $last   = @$paths < MOST ? $#$paths : MOST - 1;
    print map { "$_\0" } 'laid', $digest eq $digest_of{$folder} ? $digest : '', scalar @$paths, @$paths[ 0 .. $last ], '';
}
