import unittest


class Arithmetic(unittest.TestCase):
    def test_add(self):
        self.assertEqual(1 + 1, 2)

    def test_sub(self):
        with self.subTest("zero"):
            self.assertEqual(1 - 1, 0)


if __name__ == "__main__":
    result = unittest.main(argv=["main.py"], exit=False, testRunner=unittest.TextTestRunner(stream=open("/tmp/log", "w"))).result
    print(result.testsRun, result.wasSuccessful())
