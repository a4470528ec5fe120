"""``python -m household_ml`` is the same as ``household-ml``."""

from household_ml.cli import main

if __name__ == "__main__":
    main()
