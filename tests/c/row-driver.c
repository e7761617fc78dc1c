/* row-driver: see row-driver.h. */
#include "row-driver.h"

int main(int argc, char *argv[])
{
    return driver_main(argc, argv);
}
